"""Pages for anyone: the first one, what is trained on, and what was done so that everybody can read the pages."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from consentry.accounts.access import Action
from consentry.bootstrap import Deployment
from consentry.digests import canonical_json
from consentry.service.gate import Deployed, Needs
from consentry.service.languages import language_of, translations
from consentry.service.plain_words import (
    AGES,
    CATEGORIES,
    LEGAL_BASES,
    PURPOSES,
    SUSPENSION_ENDS,
    VISIBILITIES,
    place_name,
)
from consentry.service.site import controller_of, page, wants_document
from consentry.service.site import document as as_document

KEY_AT = "/transparency/key.pem"
_PUBLIC_KEY = "signing.pub.pem"
ROUTER = APIRouter(dependencies=[Depends(Needs(Action.ANYONE))])


@ROUTER.get("/")
def front(request: Request) -> Response:
    """Show where to go."""
    return page(request, "front.html")


@ROUTER.get("/transparency")
def transparency(request: Request, deployed: Deployed) -> Response:
    """Show what content is used for, under which rules, and where the use is suspended."""
    document = _document(deployed)
    if wants_document(request, request.query_params.get("format", "")):
        return as_document(document)
    language = language_of(request)
    translated = translations(language.code).gettext
    suspended = (*document["suspensions"], *document["earlier_suspensions"])
    named = {area for each in suspended for area in each["areas"]}
    for policy in document["policies"]:
        for rule in (*policy["permits"], *policy["forbids"]):
            named |= {*rule["inside"], *rule["outside"]}
    words: dict[str, Any] = {
        "purposes": PURPOSES,
        "categories": CATEGORIES,
        "visibilities": VISIBILITIES,
        "ages": AGES,
        "bases": LEGAL_BASES,
        "ends": SUSPENSION_ENDS,
    }
    places = {code: place_name(code, language.locale, translated=translated) for code in named}
    return page(request, "transparency.html", doc=document, places=places, **words)


@ROUTER.get("/transparency.json")
def transparency_document(deployed: Deployed) -> Response:
    """Return the same for programs."""
    return Response(canonical_json(_document(deployed)), media_type="application/json")


@ROUTER.get(KEY_AT)
def key(deployed: Deployed) -> Response:
    """Hand out the public key that checks receipts, and whatever else is signed here."""
    return key_file(deployed)


def key_file(deployed: Deployment) -> Response:
    """Return the public key as a file."""
    named = {"content-disposition": f'attachment; filename="{_PUBLIC_KEY}"'}
    content = (deployed.settings.home / "keys" / _PUBLIC_KEY).read_bytes()
    return Response(content, media_type="application/x-pem-file", headers=named)


@ROUTER.get("/accessibility")
def accessibility(request: Request) -> Response:
    """Say what was done so that everybody can use the pages, what was not, and whom to tell."""
    return page(request, "accessibility.html")


def _document(deployed: Deployment) -> dict[str, Any]:
    return {
        **deployed.control.public_view.document(),
        "controller": controller_of(deployed.settings),
        "how_to_object": "/object",
        "signing_key": {"id": deployed.control.desk.parts.signer.key_id, "address": KEY_AT},
    }
