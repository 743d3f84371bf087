"""What stands in the worlds beside the demo's story: what is in no story, so that every page has something to show.

* `story`: the demo's, with objections, notices, a proposal, and members of every situation;
* `bare`: nothing at all, for what pages say then;
* `full`: ten thousand of everything that is listed, put straight into the ledger.
"""

from __future__ import annotations

import base64
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

from consentry.accounts.webhooks import Webhooks
from consentry.bootstrap import Deployment
from consentry.digests import canonical_json
from consentry.ledger.case_events import NoticeWritten
from consentry.ledger.events import Body, ChoiceMade, Source
from consentry.ledger.objection_events import ObjectionReceived, ObjectionTold
from consentry.ledger.oversight_events import LeaseEnd, LeaseEnded, LeaseGranted, Origin
from consentry.oversight.order import Scope
from consentry.policy.choice import Choice
from consentry.policy.library import shipped
from consentry.policy.vocabulary import ChoiceState, Purpose, Reach

MANY = 10_000
LONG = "the-letter-of-the-authority-about-the-use-of-posts-that-were-written-before-the-notice-was-served"
WORDS = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
_SHIPPED = "november-2025"
_GROWN_UP_BY, _MINOR_FROM = 2000, 2009


def people_of(content: Path, country: str | None, *, minor: bool = False) -> list[str]:
    """Return the ids of members, under age or grown up, by the country that their account says; None: it says none."""
    table = pq.read_table(content / "people.parquet", columns=["id", "country", "birth_year"])
    born = table["birth_year"]
    age = pc.greater(born, _MINOR_FROM) if minor else pc.less(born, _GROWN_UP_BY)
    lives = pc.is_null(table["country"]) if country is None else pc.equal(table["country"], country)
    return [str(each) for each in table.filter(pc.and_(lives, age))["id"].to_pylist()]


def members_of(content: Path) -> dict[str, str]:
    """Return members of the story by what is the matter with them."""
    british, indian = people_of(content, "GB"), people_of(content, "IN")
    found = {
        "member": british[:1],
        "decided": british[1:2],
        "hasty": british[2:3],
        "typist": british[3:4],
        "stopped": people_of(content, "BR")[:1],
        "nowhere": people_of(content, None)[:1],
        "minor": people_of(content, "GB", minor=True)[:1],
        "named": indian[:1],
        "leaver": indian[1:2],
    }
    return {**{name: ids[0] for name, ids in found.items() if ids}, "stranger": "nobody-has-heard-of-them"}


def furnish(deployment: Deployment, content: Path, members: dict[str, str]) -> dict[str, str]:
    """Put what the story lacks into its world, and return what stands for names in addresses."""
    control = deployment.control
    control.cases.open(LONG[:60], title=f"{WORDS} {WORDS}", reference=f"letter {WORDS}", by="olga")
    control.orders.suspend(
        Scope(areas=frozenset({"BR"})), case="br-2026", origin=Origin.BINDING_ORDER, reference="order 12/2026"
    )
    # The story goes on with a release that the order does not hit.
    (corpus,) = control.desk.present().state.corpora
    now = control.desk.parts.clock()
    control.releases.build(corpus, Purpose.TRAIN_GENAI, policy=_SHIPPED, at=now)
    text = "What we use\n\nWe train AI that writes texts with what you post in public.\n\nYou can say no at any time."
    control.notices.write("what-we-use", text.encode(), languages=["en"], channel="in the app", audience="members")
    control.own_choices.choose(deployment.person(members["hasty"]), _no())
    saved = control.own_choices.choose(deployment.person(members["decided"]), _no())
    proposal = control.proposals.propose(
        shipped()[_SHIPPED].replace("title = ", "# Shorter notice.\ntitle = ", 1),
        reason=f"asked for by {WORDS}",
        by="olga",
    )
    filed = control.objections.file(
        f"https://network.example/{LONG}/{LONG}", answer_to="zoe@example.org", reason=f"It shows my daughter. {WORDS}"
    )
    control.objections.file("Zoë Q., Cardiff", answer_to="by post")
    control.objection_queue.ask(filed.objection, text="Which of the three pictures do you mean?", by="sam")
    policies = control.desk.present().state.policies
    papers = control.cases.papers("uk-2024")
    with deployment.admission() as admission:
        hooks = Webhooks(admission.web, clock=control.desk.parts.clock)
        # Nobody answers there: what is seen is how it fails.
        hook = hooks.add("https://127.0.0.1:9/hook", kinds=frozenset({"order.issued"}), by="ruth", position=0)
    return {
        "link": filed.link,
        "objection": filed.objection,
        "proposal": proposal.proposal,
        "policy": str(policies[-1].position),
        "policy_before": str(policies[0].position),
        "item": _an_item(content),
        "saved": str(saved),
        "webhook": hook.ident,
        "paper": str(papers[0].position),
        "long": LONG[:60],
        "person": members["decided"],
    }


def fill(deployment: Deployment) -> dict[str, str]:
    """Put ten thousand objections, notices, jobs, and choices of one member into the ledger."""
    parts = deployment.control.desk.parts
    document = parts.objects.put(b"What we use")
    person = deployment.person("member")
    bodies: list[Body] = []
    for number in range(MANY):
        objection = f"{number:032x}"
        told = canonical_json({"what": "received", "find": f"post {number}", "answer_to": "me@example.org"})
        sealed = base64.b64encode(parts.texts.seal(told, about=objection)).decode("ascii")
        bodies += [
            ObjectionReceived(objection=objection, purpose=Purpose.TRAIN_AI, form=1, by=None),
            ObjectionTold(objection=objection, beside=None, sealed=sealed),
            NoticeWritten(
                notice=f"notice-{number}",
                documents=(document,),
                languages=("en",),
                channel="mail",
                audience="all",
                by=None,
            ),
            LeaseGranted(
                lease=f"{number:012x}",
                release="none",
                job=f"job-{number}",
                model=f"model-{number % 7}",
                ttl_ms=60_000,
                secret=document,
            ),
            LeaseEnded(lease=f"{number:012x}", how=LeaseEnd.RELEASED, orders=(), step=number),
            ChoiceMade(person=person, choice=_no(), source=Source.IMPORT),
        ]
    for start in range(0, len(bodies), 5_000):
        parts.ledger.append(bodies[start : start + 5_000])
    return {}


def _no() -> Choice:
    return Choice(purpose=Purpose.TRAIN_GENAI, state=ChoiceState.REFUSED, reach=Reach.EVERYTHING, at=1_725_000_000)


def _an_item(content: Path) -> str:
    file = min(content.glob("items/*.parquet"))
    return str(pq.read_table(file, columns=["id"])["id"][0].as_py())
