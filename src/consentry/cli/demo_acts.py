"""The acts of the demo after the first release: training, a concern, the suspension, the review, and the way back.

What happens is real: a server, a training job in a process of its own, orders, checks that look at the policy in force.
Only the clock is set forward, from one act to the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from consentry.bootstrap import Deployment
from consentry.cli.demo_job import Job, running
from consentry.cli.output import counted, share
from consentry.cli.policy import read_text
from consentry.cli.timeline import Stopped, Timeline
from consentry.control_plane.plane import ControlPlane
from consentry.corpus.population import read_people_descriptor
from consentry.corpus.registration import Corpus
from consentry.ledger.case_events import ConditionAdded
from consentry.ledger.events import ChoiceMade, Source
from consentry.ledger.oversight_events import Origin
from consentry.oversight.condition_check import ABOUT_THE_FORM
from consentry.oversight.drained_words import after_in_words
from consentry.oversight.order import Scope
from consentry.policy.choice import Choice
from consentry.policy.jurisdictions import instant
from consentry.policy.vocabulary import ChoiceState, Purpose, Reach
from consentry.release.sealing import Built

PURPOSE = Purpose.TRAIN_GENAI
CASE, NOTICE, DAYS, STEPS = "uk-2024", "genai-2025", 30, 2
_AUTUMN, _RESUMED = "august-2024", "november-2025"
_UK = Scope(areas=frozenset({"UK"}), purposes=frozenset({PURPOSE}))
_LETTER = "letter of the UK authority"
_STEPS_BEFORE = 60
_PASSES = 10_000
_NOTICE_TEXT = (
    "We would like to use your posts, articles and comments to train models that help people write. Nothing is used"
    f" before {DAYS} days have passed. You can object in your settings, or with a form that asks for no reason."
)


@dataclass(slots=True)
class Stage:
    """Where the acts are played."""

    deployment: Deployment
    timeline: Timeline
    content: Path
    corpus: str
    column: str
    server: tuple[str, str]

    @property
    def control(self) -> ControlPlane:
        """The verbs."""
        return self.deployment.control

    def build(self, policy: str, day: str) -> Built:
        """Seal a release as of a day."""
        return self.control.releases.build(self.corpus, PURPOSE, policy=policy, at=instant(day), by="ml-engineer")

    def at(self, day: str) -> None:
        """Set the clock forward."""
        self.timeline.clock.forward_to(instant(day))


def suspended(stage: Stage, before: Built) -> Stopped | None:
    """Train on a release, suspend the UK while it runs, and return how the job stopped.

    None if there is nothing to train on, or the release holds nothing of people in the UK: then nothing stops.
    """
    if not before.manifest.eligible:
        _tell_concern(stage)
        _suspend(stage)
        stage.timeline.tell("The use of UK content is suspended", "Nothing was eligible, so no job was training.")
        return None
    with _training(stage, before, "drafts-1", passes=_PASSES) as job:
        step = job.until("training", step=_STEPS_BEFORE)
        stage.timeline.tell(
            "A training job reads the release",
            "It holds a lease, logs what each step consumed, and is a process of its own.",
            facts=[("model", "drafts-1"), ("step", str(step["step"])), ("loss", f"{step['loss']} nats a byte")],
        )
        _tell_concern(stage)
        acknowledged = _suspend(stage)
        if not stage.control.orders.barring(before.manifest.release):
            job.process.kill()
            stage.timeline.tell(
                "The use of UK content is suspended",
                "The release holds none of it: no order stops the job, and the demo ends it.",
            )
            return None
        stopped = job.until("stopped")
    seconds = max(0.0, float(stopped["uptime"]) - acknowledged)
    stage.control.orders.drain()
    (order,) = stage.control.orders.every()
    took_ms = None if order.drained is None else order.drained.took_ms
    took = "not yet" if order.drained is None else after_in_words(took_ms)
    (done,) = [each for each in stage.control.leases.jobs() if each["model"] == "drafts-1"]
    stage.timeline.tell(
        "The use of UK content is suspended, and the job stops",
        f"{seconds:.2f} s after the order was acknowledged the job had stopped.",
        mark="stop",
        facts=[
            ("order", f"{order.order}, position {order.position}"),
            ("last step", str(done["step"])),
            ("drained", f"{took}: nobody reads what it hits any more"),
        ],
    )
    return Stopped(order=order.order, after=seconds, drained_ms=took_ms, step=int(done["step"]))


def _training(stage: Stage, made: Built, model: str, *, passes: int) -> AbstractContextManager[Job]:
    return running(
        made.manifest.release,
        model=model,
        column=stage.column,
        server=stage.server,
        state=stage.deployment.settings.home / "jobs",
        passes=passes,
    )


def _tell_concern(stage: Stage) -> None:
    stage.at("2024-09-18")
    stage.control.cases.open(CASE, title="UK members' posts in training", reference=_LETTER, by="privacy-office")
    stage.timeline.tell(
        "The UK authority raises a concern", "A case is opened. Nothing is suspended by that.", facts=[("case", CASE)]
    )
    _tell_what_if(stage)


def _suspend(stage: Stage) -> float:
    """Put the order in force, and return when that was acknowledged, on the boot clock."""
    stage.at("2024-09-20")
    stage.control.orders.suspend(
        _UK, case=CASE, origin=Origin.AUTHORITY_REQUEST, reference=_LETTER, by="privacy-office"
    )
    return stage.control.desk.parts.uptime()


def _tell_what_if(stage: Stage) -> None:
    found = stage.control.orders.what_if(_UK)
    hit = found["corpora"][stage.corpus]
    stage.timeline.tell(
        "What would a suspension hit?",
        "Counted without deciding a single item anew; nothing is recorded.",
        facts=[
            ("items in scope", f"{hit['items']:,} of {hit['of']:,} ({share(hit['items'], hit['of'])})"),
            ("people in scope", f"{hit['people']:,}"),
            (
                "releases",
                ", ".join(f"{name} ({counted(count, 'item')})" for name, count in found["releases"].items()) or "none",
            ),
            ("jobs that would stop", str(len(found["leases"]))),
            ("models", ", ".join(found["models"]) or "none"),
        ],
    )


def resealed(stage: Stage) -> Built:
    """Seal a release without what is suspended, and train on it to the end."""
    made = stage.build(_AUTUMN, "2024-09-20")
    manifest = made.manifest
    stage.timeline.tell(
        "A second release, without what is suspended",
        "The same policy and the same people: the order is all that differs.",
        facts=[("release", manifest.release), ("eligible", f"{manifest.eligible:,} of {manifest.items:,}")],
    )
    title = "Training goes on with everybody else's content"
    _train_to_the_end(stage, made, model="drafts-2", title=title, told="Another job reads the second")
    return made


def _train_to_the_end(stage: Stage, made: Built, *, model: str, title: str, told: str) -> None:
    if not made.manifest.eligible:
        return
    with _training(stage, made, model, passes=1) as job:
        done = job.until("done")
    stage.timeline.tell(title, f"{told} release to its end, in {done['step']:,} steps.", facts=[("model", model)])


def objected(stage: Stage, after: Built) -> None:
    """Let somebody whose items are in a sealed release refuse everything, and tell what that does."""
    control, release = stage.control, after.manifest.release
    item = control.releases.examples(release).get("eligible")
    person = None if item is None else author_of(control.desk.corpus(stage.corpus), item)
    if person is None:
        return
    stage.at("2024-10-15")
    used = control.people.uses_of(person)
    choice = Choice(purpose=PURPOSE, state=ChoiceState.REFUSED, reach=Reach.EVERYTHING, at=stage.timeline.clock.time())
    control.statements.choose(
        [ChoiceMade(person=stage.deployment.person(person), choice=choice, source=Source.SETTINGS)]
    )
    amended = [(name, control.amendments.of(name)) for name in control.releases.sealed()]
    stage.timeline.tell(
        "A member elsewhere refuses, with reach into what is sealed",
        "Sealed releases are amended: whoever reads them from now on does not get these items. Models that learned from"
        " them are marked, and cannot be forgotten.",
        facts=[
            *((f"left {name}", counted(found[-1]["items"], "item")) for name, found in amended if found),
            ("had been used by", ", ".join(each["model"] for each in used["models"]) or "no model"),
            *((f"{each['model']} is now", str(each["stage"])) for each in control.models.every()),
        ],
    )


def author_of(corpus: Corpus, item: str) -> str | None:
    """Return the id of the author of an item, None if nobody is named."""
    columns = [corpus.descriptor.columns[name] for name in ("item", "author")]
    for sidecar in corpus.sidecars:
        ids, authors = pq.read_table(corpus.path(sidecar), columns=columns).columns
        row = pc.index(pc.cast(ids, pa.string()), item).as_py()
        if row >= 0:
            author = authors[row].as_py()
            return None if author is None else str(author)
    return None


def reviewed(stage: Stage) -> None:
    """Begin the review, and try to lift the case with everything open."""
    control = stage.control
    stage.at("2025-03-03")
    control.cases.begin_review(CASE, by="privacy-office")
    for condition, title, check, parameters in _CONDITIONS:
        control.conditions.add(
            ConditionAdded(
                case=CASE,
                condition=condition,
                title=title,
                owner="privacy-office",
                due=instant("2025-10-31"),
                check=check,
                policy=None if check is None or check in ABOUT_THE_FORM else _RESUMED,
                parameters=parameters,
                by="privacy-office",
            )
        )
    control.cases.require_notice(CASE, NOTICE, days=DAYS, by="privacy-office")
    _tell_refusal(stage, "Lifting is refused: the conditions are open", by="head-of-product")


_CONDITIONS: Sequence[tuple[str, str, str | None, tuple[str, ...]]] = (
    ("clearer-notice", "members are told in plain words", None, ()),
    ("longer-window", "30 days to object", "waiting-days", (str(DAYS),)),
    ("no-minors", "nothing of minors", "no-minors", ()),
    ("objections-kept", "earlier objections count", "objections-kept", ()),
    ("simpler-objection", "at most two steps to object", "objection-steps", (str(STEPS),)),
)
"""A window of dates is not among them: one was promised, and no source says which."""


def _tell_refusal(stage: Stage, title: str, *, by: str) -> None:
    obstacles = stage.control.cases.lift(CASE, by=by, reference="review concluded")
    facts = [(each.kind, each.text.removeprefix(f"{each.kind} ")) for each in obstacles]
    stage.timeline.tell(title, "Every reason is named:", mark="wait", facts=facts)


def met(stage: Stage) -> None:
    """Meet the conditions, approve, and tell the people."""
    control = stage.control
    stage.at("2025-09-18")
    control.statements.publish(*read_text(_RESUMED))
    _withdraw_the_earlier_set(stage)
    control.notices.write(
        NOTICE, _NOTICE_TEXT.encode(), languages=("en",), channel="in-app", audience="members", by="privacy-office"
    )
    control.conditions.meet(CASE, "clearer-notice", evidence=_NOTICE_TEXT.encode(), by="privacy-office")
    for person in ("head-of-privacy", "general-counsel"):
        control.cases.approve(CASE, by=person)
    _, standing, _, answers = control.cases.register_of(CASE)
    stage.timeline.tell(
        "The conditions are met, and two people approve",
        "Checked, not typed in: three against the policy set in force, one against the form that is served."
        f" The case is {standing}.",
        facts=[(name, answer.found) for name, answer in answers.items()],
    )
    stage.at("2025-10-04")
    members = member_ids(stage.content)
    told, left_out = control.notices.audience(members, purpose=PURPOSE)
    people = [stage.deployment.person(each) for each in told]
    control.notices.serve(NOTICE, people, at=stage.timeline.clock.time())
    stage.timeline.tell(
        "The notice is served",
        "Nobody who refused is asked to refuse again.",
        facts=[
            ("told", counted(len(told), "person", several="people")),
            ("not asked again", f"{left_out:,} who refused"),
        ],
    )
    stage.timeline.clock.forward_to(stage.timeline.clock.time() + (DAYS - 1) * 86_400)
    _tell_refusal(stage, "Lifting is refused: people still have time to object", by="head-of-product")


def refused_in_time(stage: Stage, *, before: Built, after: Built) -> str | None:
    """Let somebody in the UK refuse while their content is suspended, and return an item of theirs; None if nobody is.

    With reach `untrained`: into what is sealed it does not reach. The first release was sealed with the item.
    """
    control = stage.control
    stood = control.releases.examples(after.manifest.release, within=before.manifest.release)
    item = stood.get(f"suspended:{CASE}.1")
    person = None if item is None else author_of(control.desk.corpus(stage.corpus), item)
    if person is None:
        return None
    choice = Choice(purpose=PURPOSE, state=ChoiceState.REFUSED, reach=Reach.UNTRAINED, at=stage.timeline.clock.time())
    control.statements.choose(
        [ChoiceMade(person=stage.deployment.person(person), choice=choice, source=Source.SETTINGS)]
    )
    stage.timeline.tell(
        "A member in the UK refuses in time",
        "Not with reach into what is sealed. The first release was sealed with items of theirs, before the suspension.",
        facts=[("one of them", item or "")],
    )
    return item


def resumed(stage: Stage, before: Built, *, refused: str | None) -> Built:
    """Lift the case when the time has run out, and seal the release with which use resumes.

    `refused` is an item that its author refused meanwhile: the release of before stays unread, and the new one has it
    not.
    """
    stage.at("2025-11-04")
    obstacles = stage.control.cases.lift(CASE, by="head-of-privacy", reference="review concluded")
    assert not obstacles, "every condition was met, and the time has run out"
    made = stage.build(_RESUMED, "2025-11-04")
    by_place = made.manifest.counts["by_place"]
    stage.timeline.tell(
        "The suspension is lifted, and use resumes",
        "By another policy: who was told and did not object in time is in; minors are out.",
        facts=[
            ("release", made.manifest.release),
            ("eligible", f"{made.manifest.eligible:,} of {made.manifest.items:,}"),
            ("of people in the UK", f"{by_place.get('GB', {}).get('eligible', 0):,}"),
        ],
    )
    _tell_old_terms(stage, before.manifest.release, made.manifest.release, refused=refused)
    title = "Training resumes on the new terms"
    _train_to_the_end(stage, made, model="drafts-3", title=title, told="A third job reads the third")
    return made


def _withdraw_the_earlier_set(stage: Stage) -> None:
    """Take out of force what nobody waited for: a build could still name it, so the conditions are not met before."""
    answers = stage.control.cases.register_of(CASE)[3]
    position = stage.control.statements.withdraw(_AUTUMN)
    stage.timeline.tell(
        "The earlier policy is withdrawn",
        "It asks for no notice, and a build could name it. A condition is met only if every policy in force meets it.",
        facts=[
            *((f"{name}, before", answer.found) for name, answer in answers.items() if not answer.met),
            (f"{_AUTUMN} withdrawn", f"position {position}"),
        ],
    )


def _tell_old_terms(stage: Stage, before: str, now: str, *, refused: str | None) -> None:
    """Tell that the release of before the suspension stays unread, if the suspension hit it."""
    barred = stage.control.orders.barred(before)
    if barred is None:
        return
    facts = [("why", str(barred["why"]))]
    if refused is not None:
        was, allowed = (stage.control.releases.explain(name, refused).allowed for name in (before, now))
        assert was, "it is an item that the first release was sealed with"
        assert not allowed, "who refused in time is in no release that is built since"
        facts.append((f"item {refused}", f"was sealed into {before}, and is left out of {now}"))
    stage.timeline.tell(
        "The first release stays unread",
        "What comes back comes back on the new terms: it is read from releases that are built since.",
        mark="stop",
        facts=facts,
    )


def member_ids(content: Path) -> list[str]:
    """Return the ids in the people table of a corpus folder."""
    descriptor = read_people_descriptor(content / "people.toml")
    column = descriptor.columns["person"]
    found: list[str] = []
    for file in descriptor.files:
        found += [str(each) for each in pq.read_table(content / file, columns=[column]).column(0).to_pylist()]
    return found
