"""`consentry demo`: the whole story, without network, on embedded defaults.

People and content come in, choices are recorded, a release is sealed under the policy of early September 2024, three
items are explained, a job trains on it. Then an authority raises a concern: the use of UK data is suspended, the job
stops, a second release shows the difference; and after review, conditions, notices and a waiting period use resumes.
"""

from __future__ import annotations

import shlex
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click

from consentry.bootstrap import Deployment, open_deployment
from consentry.cli import demo_acts as acts
from consentry.cli import demo_looks as looks
from consentry.cli import demo_pages as pages
from consentry.cli.context import Context, pass_context
from consentry.cli.invocation import running_for
from consentry.cli.output import Output
from consentry.cli.people import combined, resolved
from consentry.cli.places import place_in_table
from consentry.cli.policy import read_text
from consentry.cli.release_text import show_comparison, show_counts, show_explanation
from consentry.cli.report import Story, page
from consentry.cli.timeline import Stopped, StoryClock, Timeline
from consentry.corpus.registration import Corpus
from consentry.durable import only_one
from consentry.errors import StateError
from consentry.home import HOME_MODE
from consentry.policy.jurisdictions import instant
from consentry.policy.vocabulary import Age
from consentry.release.explain import meaning
from consentry.release.sealing import Built

_POLICY, _BEGINS = "august-2024", "2024-09-10"
_CLOCK = "The clock of this story is set forward from one act to the next: it begins on 10 September 2024."
_MARK = "this-is-a-demo"
_TOP_PLACES = 12
_WANTED = ("eligible", "refused", "gap:", "involved:")
_AT_LEAST_ONE, _AT_LEAST_TWO, _SEED = click.IntRange(min=1), click.IntRange(min=2), click.IntRange(min=0)


@dataclass(slots=True)
class Demo:
    """One run: where it writes, what it opened and how long each step took."""

    out: Output
    deployment: Deployment
    clock: StoryClock
    steps: list[tuple[str, float]] = field(default_factory=list)

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Say what is being done, and time it."""
        started = time.monotonic()
        self.out.note(f"{len(self.steps) + 1}. {what} ...")
        yield
        self.steps.append((what, time.monotonic() - started))


@click.command()
@click.option("--stackexchange", type=click.Path(path_type=Path, exists=True), help="Play it on this dump instead.")
@click.option(
    "--people",
    type=_AT_LEAST_TWO,
    metavar="N",
    default=30_000,
    show_default=True,
    help="People in the network: 2 or more.",
)
@click.option(
    "--items",
    type=_AT_LEAST_ONE,
    metavar="N",
    default=300_000,
    show_default=True,
    help="Items in the network: 1 or more.",
)
@click.option(
    "--seed", type=_SEED, metavar="N", default=7, show_default=True, help="The same seed gives the same network."
)
@click.option("--report", type=click.Path(path_type=Path), help="Where the HTML page goes (default: in the home).")
@click.option(
    "--serve/--no-serve", default=None, help="Open the pages at the end, until Ctrl+C. Default: if this is a terminal."
)
@pass_context
def demo(
    context: Context,
    *,
    stackexchange: Path | None,
    people: int,
    items: int,
    seed: int,
    report: Path | None,
    serve: bool | None,
) -> None:
    """Play the whole story: a release, training, a suspension that stops it, the review, and the way back.

    It ends with the pages, and with four links to look at first.
    """
    home = _fresh_home(context.home or Path("demo-home"))
    # Made-up people must never get into a real ledger, also not into one that the environment names.
    clock = StoryClock(instant(_BEGINS))
    deployment = open_deployment(home, embedded=True, ahead=clock.ahead, watching=context.out.progress)
    try:
        run = Demo(context.out, deployment, clock)
        if stackexchange is not None:
            with run.step(f"Convert the Stack Exchange dump in {stackexchange}"), context.out.progress() as progress:
                deployment.import_stackexchange(stackexchange, home / "content", age=Age.ADULT, progress=progress)
            story = _play(run, home / "content", title="A suspension, played on a real dump", origin=_REAL)
        else:
            made = f"Generate a synthetic network of {people:,} people and {items:,} items (seed {seed})"
            with run.step(made), context.out.progress() as progress:
                deployment.generate_network(home / "content", people=people, items=items, seed=seed, progress=progress)
            story = _play(run, home / "content", title="A suspension, played on a synthetic network", origin=_SYNTHETIC)
        path = report or home / "report.html"
        path.write_text(page(story), "utf-8")
        _close(context.out, story, home=home, path=path)
    finally:
        deployment.close()
    pages.introduce(home)
    if serve or (serve is None and context.out.console.is_terminal and not context.out.as_json):
        pages.show_pages(home, context.out, person=pages.somebody_in(home / "content", "GB"))


_SYNTHETIC = (
    "All people and texts here are synthetic: generated from a seed, nobody is real. Countries, categories, choices and"
    " gaps are mixed as on a professional network."
)
_REAL = (
    "Real public posts, converted from a Stack Exchange dump. The dump says nothing about ages; for this run the"
    " operator vouches that everybody is an adult. Without that, every item would be a gap."
)


def _fresh_home(home: Path) -> Path:
    """Return an empty home; an earlier demo's is replaced, anything else is left alone."""
    if home.exists() and any(home.iterdir()):
        if not (home / _MARK).exists():
            raise StateError(
                "demo-home-in-use",
                f"`{home}` holds something that no demo made",
                help="name another folder: consentry --home DIR demo",
            )
        with _not_served(home):
            shutil.rmtree(home)
    home.mkdir(mode=HOME_MODE, parents=True, exist_ok=True)
    (home / _MARK).touch()
    return home


SERVE_LOCK = "serve.lock"
"""What a server of a home holds; named here because the service takes long to import."""


@contextmanager
def _not_served(home: Path) -> Iterator[None]:
    try:
        with only_one(home / SERVE_LOCK, wait=False):
            yield
    except BlockingIOError:
        raise StateError(
            "demo-home-in-use",
            f"`{home}` is served right now: an earlier demo has its pages open",
            help="stop that server with Ctrl+C, or name another folder: consentry --home DIR demo",
        ) from None


def _play(run: Demo, content: Path, *, title: str, origin: str) -> Story:
    control, out = run.deployment.control, run.out
    out.text(origin)
    out.text(_CLOCK)
    places, corpus = _take_in(run, content)
    deciding = "Decide every item under the policy of early September 2024, and seal a release"
    with run.step(deciding), out.progress() as progress:
        control.statements.publish(*read_text(_POLICY))
        before = control.releases.build(
            corpus.name, acts.PURPOSE, policy=_POLICY, at=instant(_BEGINS), by="ml-engineer", progress=progress
        )
    out.heading(f"What may be used, by policy {_POLICY}")
    show_counts(out, before.manifest.counts)
    timeline = Timeline(run.clock, out)
    manifest = before.manifest
    timeline.tell(
        "The use is on, and a release is sealed",
        "On by default with a way out; the EU, the EEA and Switzerland are left out from the start.",
        facts=[("release", manifest.release), ("eligible", f"{manifest.eligible:,} of {manifest.items:,}")],
    )
    examples = control.releases.examples(manifest.release)
    found = _explain(run, manifest.release, _chosen(examples))
    stopped, after, resumed = _oversee(run, content, corpus, timeline=timeline, before=before, examples=examples)
    verifying = "Verify all three releases: signature, digests, bitmaps, counts, content files"
    with run.step(verifying), out.progress() as progress:
        made = [each.manifest.release for each in (before, after, resumed)]
        checks = [each for name in made for each in control.releases.verify(name, progress=progress)]
    with run.step("Write the third release as an Iceberg table over the untouched files"), out.progress() as progress:
        table = control.releases.table(resumed.manifest.release, 2, progress=progress)
    passed = sum(not each.problem for each in checks)
    out.text(f"{passed} of {len(checks)} checks of the three releases passed.")
    return Story(
        title=title,
        origin=f"{origin} {_CLOCK}",
        people=places,
        combinations=combined(run.deployment),
        before={**manifest.to_json(), "digest": before.digest},
        after={**after.manifest.to_json(), "digest": after.digest},
        resumed={**resumed.manifest.to_json(), "digest": resumed.digest},
        meanings=_meanings(run, before, after),
        comparison=control.releases.compare(manifest.release, after.manifest.release),
        explanations=found,
        moments=timeline.moments,
        stopped=stopped,
        steps=run.steps,
        checks=f"{passed} of {len(checks)} checks passed.",
        table=str(table["metadata"]),
    )


def _explain(run: Demo, release: str, items: Sequence[str]) -> Sequence[tuple[str, Mapping[str, Any]]]:
    """Show the signed answer of each item; return the items with what those answers say."""
    with run.step("Explain three items"):
        found = [(item, run.deployment.control.releases.explain(release, item).body) for item in items]
    for item, body in found:
        show_explanation(run.out, item, body=body)
    return found


def _take_in(run: Demo, content: Path) -> tuple[Mapping[str, int], Corpus]:
    """Load people, content and choices; return where people live, and the corpus."""
    control, out = run.deployment.control, run.out
    with run.step("Load people, and work out where they live"), out.progress() as progress:
        people = control.statements.load_people(content / "people.toml", progress=progress)
    places = resolved(run.deployment)
    first = f" (first {_TOP_PLACES} of {len(places)})" if len(places) > _TOP_PLACES else ""
    out.heading(f"{people.rows:,} accounts of people, by the country they may be in{first}")
    out.table(["place", "accounts"], [[place_in_table(each), count] for each, count in places.items()][:_TOP_PLACES])
    with run.step("Register the content: one sidecar a file"), out.progress() as progress:
        corpus = control.statements.register_corpus(content / "corpus.toml", progress=progress).corpus
    if (content / "choices.csv").exists():
        with run.step("Record what people chose"), out.progress() as progress:
            run.deployment.import_choices(content / "choices.csv", corpus=corpus.name, progress=progress)
    return places, corpus


def _oversee(
    run: Demo, content: Path, corpus: Corpus, *, timeline: Timeline, before: Built, examples: Mapping[str, str]
) -> tuple[Stopped | None, Built, Built]:
    """Play what an authority's concern leads to; return how the job stopped, and the two releases made since."""
    # Only here: a web framework that no other command needs, and every one would wait for it.
    from consentry.service.server import serving  # noqa: PLC0415

    with serving(run.deployment) as server:
        stage = acts.Stage(run.deployment, timeline, content, corpus.name, corpus.descriptor.columns["text"], server)
        looks.shown_the_setting(stage, examples)
        with run.step("Train on it, and suspend the use of UK content while it runs"):
            stopped = acts.suspended(stage, before)
        with run.step("Seal a release without what is suspended, and train on that"):
            after = acts.resealed(stage)
        compared = run.deployment.control.releases.compare(before.manifest.release, after.manifest.release)
        show_comparison(run.out, compared)
        with run.step("Let the authority look for itself"):
            looks.asked_for_less(stage)
            title = "The authority sees for itself"
            looks.looked_for_itself(stage, title, made=(("first", before), ("second", after)))
        with run.step("Refuse with reach into what is sealed"):
            acts.objected(stage, after)
        with run.step("Review: conditions, approvals, notices, the waiting period"):
            acts.reviewed(stage)
            acts.met(stage)
            refused = acts.refused_in_time(stage, before=before, after=after)
        with run.step("Lift the suspension, seal the release with which use resumes, and train on it"):
            made = acts.resumed(stage, before, refused=refused)
            title = "The authority looks again"
            looks.looked_for_itself(stage, title, made=(("third", made),))
            if made.manifest.eligible:
                looks.serves_everybody(stage, model="drafts-3")
            return stopped, after, made


def _meanings(run: Demo, *made: Built) -> dict[str, str]:
    """Return in words what items of these releases were left out for, as far as words are known."""
    found: dict[str, str] = {}
    for each in made:
        policy = run.deployment.control.desk.document(each.manifest.policy.digest)
        found |= {label: meaning(label, policy) for label in each.manifest.counts["by_reason"]}
    return found


def _chosen(examples: Mapping[str, str]) -> list[str]:
    """Return the ids of three items with different fates."""
    chosen = [next((item for label, item in examples.items() if label.startswith(wanted)), None) for wanted in _WANTED]
    return [item for item in chosen if item is not None][:3]


def _close(out: Output, story: Story, *, home: Path, path: Path) -> None:
    total = running_for()  # the steps alone would leave out its start, the server and the report
    body = {
        "before": story.before,
        "after": story.after,
        "resumed": story.resumed,
        "seconds": round(total, 1),
        "stopped_after_s": None if story.stopped is None else round(story.stopped.after, 2),
        "timeline": [asdict(each) for each in story.moments],
        "comparison": story.comparison,
        "explanations": [{"id": item, **body} for item, body in story.explanations],
        "report": str(path),
        "home": str(home),
    }
    release = story.after["release"]

    def human() -> None:
        out.heading(f"Done in {total:.0f} s. {story.checks}")
        out.text(f"The page with charts:  {path}")
        out.text(f"The Iceberg table:     {story.table}")
        out.text("Look around:")
        looks = (
            f"release diff {story.before['release']} {release}",
            f"case timeline {acts.CASE}",
            "order list",
            "jobs",
            "account add me --role privacy-officer",
            "serve",
        )
        for words in looks:
            out.hint(f"  consentry --home {shlex.quote(str(home))} {words}")

    out.show(body, human)
