"""A deployment with ten thousand rows in its lists: told to its ledger, its corpus and its accounts, as anybody's is.

Of releases, accounts and keys there are fewer: each of them is really made.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from consentry.accounts.access import Role
from consentry.accounts.admission import Admission
from consentry.accounts.webhooks import Webhooks
from consentry.bootstrap import Deployment
from consentry.control_plane.plane import ControlPlane
from consentry.digests import Digest, canonical_json
from consentry.ledger.case_events import (
    CaseEnd,
    CaseEnded,
    CaseOpened,
    ConditionAdded,
    ConditionMet,
    ConditionReopened,
    NoticeWritten,
    ReportScheduled,
)
from consentry.ledger.events import Body, ChoiceMade, NoticeServed, PolicyPublished, Source
from consentry.ledger.lineage_events import ModelRegistered
from consentry.ledger.look_up_events import PersonLookedUp
from consentry.ledger.objection_events import ObjectionReceived, ObjectionTold
from consentry.ledger.oversight_events import (
    LeaseEnd,
    LeaseEnded,
    LeaseGranted,
    OrderDrained,
    OrderEnd,
    OrderEnded,
    OrderIssued,
    Origin,
)
from consentry.ledger.proposal_events import PolicyProposed, ProposalEnd, ProposalEnded
from consentry.ledger.statement_events import Says, StatementFiled
from consentry.policy.choice import Choice
from consentry.policy.library import shipped
from consentry.policy.vocabulary import ChoiceState, Purpose, Reach
from end_to_end.network import RawItem, RawPerson, fresh, write_corpus, write_people
from end_to_end.test_story import BEFORE, NOW
from service.at_work import CHANGED, POLICY, in_thread
from service.staff import STAFF, Office

MANY = 10_000
OPEN, POLICIES, RELEASES, ACCOUNTS = 100, 1_000, 120, 400
"""Cases that are not over; versions of a policy set; releases; accounts and keys."""
LONG = "case-0"
"""The case of which ten thousand things were said."""
_AT_ONCE = 5_000


@dataclass
class Full(Office):
    """Such a deployment, served."""

    places: dict[str, str] = field(default_factory=dict)


@contextmanager
def full() -> Iterator[Full]:
    """Serve a deployment in which every list is long."""
    with fresh() as (folder, deployment):
        control = deployment.control
        with deployment.admission() as admission:
            hook = Webhooks(admission.web, clock=control.desk.parts.clock).add(
                "https://127.0.0.1:9/hook", kinds=frozenset(), by="ada", position=0
            )
            releases = _tell(deployment, folder)
            done = replace(hook, position=control.desk.parts.ledger.head())
            assert admission.web.advance_endpoint(done, since=0)
            cookies = dict(_accounts(admission))
            with in_thread(deployment) as ask:
                places = {"release": releases[-1], "before": releases[0], "hook": hook.ident, "case": LONG}
                yield Full(deployment, releases[-1], folder, ask, cookies, places)


def _accounts(admission: Admission) -> Iterator[tuple[str, str]]:
    """Make accounts and keys, and yield the cookies of those who work there."""
    for handle, role in STAFF.items():
        areas = frozenset({"UK"}) if role is Role.AUTHORITY else frozenset[str]()
        admission.add(handle, roles=frozenset({role}), areas=areas, password="")
        yield handle, admission.admit(handle, subject=f"https://idp.example/#{handle}")
    for number in range(ACCOUNTS):
        admission.add(f"somebody-{number}", roles=frozenset({Role.SUPPORT}), password="")
        admission.add_key(f"job {number}", roles=frozenset({Role.WORKLOAD}), by="ada")


def _tell(deployment: Deployment, folder: Path) -> list[str]:
    """Fill the ledger and a corpus, and return the names of the releases."""
    control = deployment.control
    document = control.desk.parts.objects.put(b'{"text": "What we use"}')
    _append(control, _cases(document))
    _append(control, _timeline(document))
    items = [RawItem(id=f"u{number}", author="us", created=BEFORE + number) for number in range(MANY)]
    people = [RawPerson(id="us"), RawPerson(id="gb", country="GB")]
    half = MANY // 2
    control.statements.register_corpus(
        write_corpus(folder, [items[:half], [*items[half:], RawItem(id="g1", author="gb", created=BEFORE)]])
    )
    control.statements.load_people(write_people(folder / "people", people))
    control.statements.publish(shipped()[POLICY], POLICY)
    published = control.desk.present().state.policy(POLICY)
    assert published is not None
    other = control.desk.parts.objects.put(CHANGED.encode())
    policies = (
        PolicyPublished(
            name=POLICY, version=f"new-{number}", digest=other if number < POLICIES - 1 else published.digest
        )
        for number in range(POLICIES)
    )
    _append(control, policies)
    releases = [
        control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY, at=NOW).manifest.release
        for _ in range(RELEASES)
    ]
    _append(control, _jobs(releases[-1], document))
    _append(control, _of_people(deployment, document))
    return releases


def _append(control: ControlPlane, bodies: Iterable[Body]) -> None:
    rest = iter(bodies)
    while some := list(islice(rest, _AT_ONCE)):
        control.desk.parts.ledger.append(some)


def _cases(document: Digest) -> Iterator[Body]:
    """Yield cases, each with an order, a condition and a report: some go on, the others were withdrawn."""
    for number in range(MANY):
        case = f"case-{number}"
        yield CaseOpened(case=case, title=f"Posts of year {number}", reference=f"letter {number}", by="olga")
        yield OrderIssued(
            order=f"{case}.1", case=case, areas=("GB",), purposes=(Purpose.TRAIN_GENAI,), categories=(),
            visibilities=(), created_from=None, created_before=None, models=(), origin=Origin.AUTHORITY_REQUEST,
            reference=f"letter {number}", by="olga", at_ms=1_725_000_000_000 + number,
        )  # fmt: skip
        yield OrderDrained(order=f"{case}.1", stopped=0, expired=0, released=0, failed=0, took_ms=number)
        yield ConditionAdded(
            case=case, condition="window", title="The window is long enough", owner="olga", due=1_725_000_000 + number,
            check=None, policy=None, parameters=(), by="olga",
        )  # fmt: skip
        yield ReportScheduled(case=case, report="first", title="What was done", due=1_725_000_000 + number, by="olga")
        yield StatementFiled(
            case=case, says=Says.CONCERN, orders=(), areas=("GB",), reference=f"letter {number}", statement=document,
            document=document, key=None, by="ico",
        )  # fmt: skip
        if number >= OPEN:
            yield OrderEnded(order=f"{case}.1", case=case, how=OrderEnd.WITHDRAWN)
            yield CaseEnded(
                case=case, how=CaseEnd.WITHDRAWN, reference="it was a mistake", found=(), by=("olga", "petra")
            )
        yield NoticeWritten(
            notice=f"notice-{number}", documents=(document,), languages=("en",), channel="mail", audience="all", by=None
        )
        yield PolicyProposed(
            proposal=f"{number:012x}", name="next", version=str(number), document=document, reason="shorter", by="olga"
        )
        yield ProposalEnded(proposal=f"{number:012x}", how=ProposalEnd.WITHDRAWN, by=("olga",))


def _timeline(document: Digest) -> Iterator[Body]:
    for number in range(MANY // 3):
        yield ConditionMet(case=LONG, condition="window", evidence=document, by="olga")
        yield ConditionReopened(case=LONG, condition="window", reason=f"reason {number}", by="petra")
        yield StatementFiled(
            case=LONG, says=Says.CONCERN, orders=(), areas=("GB",), reference=f"again {number}", statement=document,
            document=document, key=None, by="ico",
        )  # fmt: skip


def _jobs(release: str, document: Digest) -> Iterator[Body]:
    for number in range(MANY):
        lease = f"{number:012x}"
        yield LeaseGranted(
            lease=lease, release=release, job=f"job-{number}", model="drafts", ttl_ms=60_000, secret=document
        )
        yield LeaseEnded(lease=lease, how=LeaseEnd.RELEASED, orders=(), step=number)
        yield ModelRegistered(model=f"model-{number}", base=None, releases=(release,), leases=(), digest=None)


def _of_people(deployment: Deployment, document: Digest) -> Iterator[Body]:
    """Yield objections, what one person chose, who looked them up, and how often they were told something."""
    parts = deployment.control.desk.parts
    person = deployment.person("us")
    cohort = parts.people.store_cohort([person])
    no = Choice(purpose=Purpose.EVALUATE, state=ChoiceState.REFUSED, reach=Reach.FUTURE, at=1_725_000_000)
    yield NoticeWritten(
        notice="told", documents=(document,), languages=("en",), channel="mail", audience="all", by=None
    )
    for number in range(MANY):
        objection = f"{number:032x}"
        told = canonical_json({"what": "received", "find": f"post {number}", "answer_to": "me@example.org"})
        sealed = base64.b64encode(parts.texts.seal(told, about=objection)).decode("ascii")
        yield ObjectionReceived(objection=objection, purpose=Purpose.TRAIN_AI, form=1, by=None)
        yield ObjectionTold(objection=objection, beside=None, sealed=sealed)
        yield ChoiceMade(person=person, choice=no, source=Source.IMPORT)
        yield PersonLookedUp(person=person, reason=f"ticket {number}", by="sue")
        yield NoticeServed(notice="told", at=1_725_000_000 + number, cohort=cohort, count=1)
