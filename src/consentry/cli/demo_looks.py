"""Acts of the demo in which somebody looks: members at their setting, the authority at the platform.

The authority asks the server that is running, with an account of its own, and checks what it takes away with the public
key alone: what it learns is not what this process tells it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import httpx2

from consentry.accounts.account import new_password
from consentry.bootstrap import published_key
from consentry.cli.demo_acts import PURPOSE, Stage, author_of
from consentry.cli.demo_pages import AUTHORITY, enter_authority
from consentry.cli.output import counted
from consentry.oversight.drained_words import after_in_words
from consentry.oversight.order import Scope
from consentry.policy.jurisdictions import instant
from consentry.policy.vocabulary import Category, Visibility
from consentry.public_key import key_id, read_public_key
from consentry.release.explain import meaning
from consentry.release.sealing import Built
from consentry.release.situation import Situation
from consentry.transparency.download import opened

_KEY_SHOWN = 19
_NARROWER = (
    (
        "public posts of people in the UK",
        Scope(
            areas=frozenset({"UK"}),
            purposes=frozenset({PURPOSE}),
            categories=frozenset({Category.POST}),
            visibilities=frozenset({Visibility.PUBLIC}),
        ),
    ),
    (
        "posts of the EU and the EEA, 7 May to 1 August 2024",
        Scope(
            areas=frozenset({"EU", "EEA"}),
            purposes=frozenset({PURPOSE}),
            categories=frozenset({Category.POST}),
            created_from=instant("2024-05-07"),
            created_before=instant("2024-08-02"),
        ),
    ),
)
_SHOWN = {
    Situation.ON: "is shown the setting: on, and a switch to turn it off",
    Situation.STOPPED: "is not shown the setting: it is not used, whatever they say",
}


def shown_the_setting(stage: Stage, examples: Mapping[str, str]) -> None:
    """Tell who is shown the setting: somebody whose content is used, and somebody in Europe.

    `examples` are items of the release, each under what became of it.
    """
    control, facts = stage.control, []
    corpus = control.desk.corpus(stage.corpus)
    for label, who in (("eligible", "a member outside Europe"), ("forbidden:europe", "a member in Europe")):
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
            "The same rules decide what their page offers and what is used.",
            facts=facts,
        )


def asked_for_less(stage: Stage) -> None:
    """Ask what narrower orders would hit, such as two other platforms were under: of public posts, and of a time."""
    facts = []
    for what, scope in _NARROWER:
        hit = stage.control.orders.what_if(scope)["corpora"][stage.corpus]
        facts.append((what, f"{counted(hit['items'], 'item')} of {counted(hit['people'], 'person', several='people')}"))
    stage.timeline.tell(
        "What would less have hit?",
        "Two other platforms were asked for less. An order can be as narrow as that; these are only asked about here.",
        facts=facts,
    )


def looked_for_itself(stage: Stage, title: str, *, made: Sequence[tuple[str, Built]]) -> None:
    """Let the authority see for itself: through its own account, and with the public key alone.

    `made`: releases, each with what it is called.
    """
    seen = _seen_by_the_authority(stage)
    rows = {row["release"]: row for row in seen["releases"]}
    facts = [(f"order {order['order']}", _in_words(order)) for order in seen["orders"]]
    for which, release in made:
        held = rows.get(release.manifest.release, {}).get("items")
        facts.append((f"of people in the UK, in the {which} release", _held_in_words(held, rows, release)))
    facts.append(("what it takes away", f"signed by key {seen['signed_by'][:_KEY_SHOWN]}…, and unchanged"))
    stage.timeline.tell(
        title,
        "With an account of its own, when it likes. It is all in signed copies, checked with the public key alone.",
        facts=facts,
    )


def _in_words(order: dict[str, Any]) -> str:
    state = "lifted" if order["ended"] else "in force"
    drained = order["drained"]
    if drained is None:
        return f"{state}; somebody still reads what it hits"
    if not drained["jobs"]:
        return f"{state}; nobody read what it hits"
    took = after_in_words(drained["after_ms"])
    return f"{state}; the last reader stopped {took} ({counted(drained['jobs'], 'job')})"


def _held_in_words(held: int | None, rows: Mapping[str, Any], made: Built) -> str:
    if held is None:
        return "not known" if made.manifest.release in rows else "none that the list names"
    return counted(held, "item")


def serves_everybody(stage: Stage, *, model: str) -> None:
    """Ask the gate whether a model may help people."""
    url, token = stage.server
    answer = httpx2.get(f"{url}/v1/models/{model}/serving", headers={"authorization": f"Bearer {token}"}, timeout=60)
    answer.raise_for_status()
    may = answer.json()["may"]
    stage.timeline.tell(
        "The model may be served, to everybody" if may else "The model may not be served",
        "Its service asks this before it answers somebody: about the model, and not about what that person chose.",
        mark="done" if may else "stop",
        facts=[(model, "may be served" if may else "; ".join(answer.json()["reasons"]))],
    )


def _seen_by_the_authority(stage: Stage) -> dict[str, Any]:
    """Return the orders and the releases that the server shows the authority, out of their signed copies.

    Raises:
        IntegrityError: a signed copy does not hold.
    """
    deployment, (url, _) = stage.deployment, stage.server
    public = read_public_key(published_key(deployment.settings.home) or b"")
    found: dict[str, Any] = {"signed_by": key_id(public)}
    password = new_password()
    with deployment.admission() as admission:
        enter_authority(admission, password)
        session = admission.sign_in(AUTHORITY, password)
        with httpx2.Client(base_url=url, headers={"cookie": f"__Host-consentry={session}"}, timeout=60) as asking:
            for what in ("orders", "releases"):
                answer = asking.get(f"/authority/{what}", params={"format": "signed"})
                answer.raise_for_status()
                found[what] = opened(answer.content, public)[what]
        admission.sign_out(session)
    return found
