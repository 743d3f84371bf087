"""Acts of the demo in which somebody looks: members at their setting, the authority at the platform.

The authority asks the server that is running, with an account of its own, and checks what it takes away with the public
key alone: what it learns is not what this process tells it.
"""

from __future__ import annotations

import json
from typing import Any

import httpx2

from consentry.accounts.access import Role
from consentry.accounts.account import new_password
from consentry.bootstrap import published_key
from consentry.cli.demo_acts import CASE, PURPOSE, Stage, author_of
from consentry.cli.demo_pages import AUTHORITY
from consentry.cli.output import counted
from consentry.oversight.drained_words import drained_in_words
from consentry.public_key import key_id, read_public_key
from consentry.release.explain import meaning
from consentry.release.sealing import Built
from consentry.release.situation import Situation
from consentry.transparency.download import opened

_KEY_SHOWN = 19
_SHOWN = {
    Situation.ON: "is shown the setting: on, and a switch to turn it off",
    Situation.STOPPED: "is not shown the setting: it is not used, whatever they say",
}


def shown_the_setting(stage: Stage, made: Built) -> None:
    """Tell who is shown the setting: somebody whose content is used, and somebody in Europe."""
    control, release = stage.control, made.manifest.release
    examples, facts = control.releases.examples(release), []
    corpus = control.desk.corpus(stage.corpus)
    for label, who in (("eligible", "a member elsewhere"), ("forbidden:europe", "a member in Europe")):
        person = None if label not in examples else author_of(corpus, examples[label])
        if person is None:
            continue
        (use,) = [
            each for each in control.own_settings.uses(stage.deployment.person(person)) if each.purpose == PURPOSE
        ]
        facts.append((who, _SHOWN.get(use.stands.situation, f"finds it {use.stands.situation}")))
        if use.policy is not None and not use.stands.can_choose:
            facts.append(("why", meaning(label, use.policy)))
    if facts:
        stage.timeline.tell(
            "Each member has a setting, where there is something to choose",
            "What their page offers is worked out by the function that decides about items.",
            facts=facts,
        )


def looked_for_itself(stage: Stage, *, before: Built, after: Built) -> None:
    """Let the authority see for itself: through its own account, and with the public key alone."""
    start, releases = _seen_by_the_authority(stage)
    rows = {row["release"]: row for row in releases["releases"]}
    facts = []
    for order in start["orders_in_force"]:
        drained = order["drained"] or {"after_ms": None, "jobs": None}
        words = drained_in_words(after_ms=drained["after_ms"], leases=drained["jobs"], called="job")
        facts.append((f"order {order['order']}", f"in force; nobody reads what it hits: {words}"))
    for which, made in (("first", before), ("second", after)):
        held = rows.get(made.manifest.release, {}).get("items", 0)
        said = "not known" if held is None else counted(held, "item")
        facts.append((f"of people in the UK, in the {which} release", said))
    facts.append(("its signed copy", f"is as it was signed, by key {start['signed_by'][:_KEY_SHOWN]}…"))
    stage.timeline.tell(
        "The authority sees for itself",
        "With an account of its own, when it likes. It takes a signed copy away, and checks that without the platform.",
        facts=facts,
    )


def serves_everybody(stage: Stage, *, model: str) -> None:
    """Ask the gate whether a model may help people."""
    url, token = stage.server
    answer = httpx2.get(f"{url}/v1/models/{model}/serving", headers={"authorization": f"Bearer {token}"})
    answer.raise_for_status()
    may = answer.json()["may"]
    stage.timeline.tell(
        "The model helps people write" if may else "The model may not be served",
        "Everybody, whatever they chose: the gate of its service asks of the model, and of nobody who is helped.",
        mark="done" if may else "stop",
        facts=[(model, "may be served" if may else "; ".join(answer.json()["reasons"]))],
    )


def _seen_by_the_authority(stage: Stage) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the server shows the authority: the start page, out of its signed copy, and the list of releases.

    Raises:
        IntegrityError: the signed copy does not hold.
    """
    deployment, (url, _) = stage.deployment, stage.server
    public = read_public_key(published_key(deployment.settings.home) or b"")
    password = new_password()
    with deployment.admission() as admission:
        admission.add(AUTHORITY, roles=frozenset({Role.AUTHORITY}), areas=frozenset({"UK"}), password=password)
        session = admission.sign_in(AUTHORITY, password)
    with httpx2.Client(base_url=url, headers={"cookie": f"__Host-consentry={session}"}, timeout=60) as asking:
        signed = asking.get("/authority", params={"format": "signed"})
        listed = asking.get("/authority/releases", params={"format": "json"})
        for each in (signed, listed):
            each.raise_for_status()
    start = opened(signed.content, public)
    assert [each["case"] for each in start["cases"]] == [CASE], "it sees the case that is about its country"
    return {**start, "signed_by": key_id(public)}, json.loads(listed.content)
