"""What `consentry choice record` does with a choice, recorded or only foreseen, and what `choice import` says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from consentry.cli.context import Context
from consentry.cli.output import Output, counted
from consentry.control_plane.own_content import Aim, Effect
from consentry.control_plane.unknown_ids import Imported, Unknown, UnknownIds, in_json
from consentry.ledger.events import ChoiceMade
from consentry.policy.vocabulary import ChoiceState, Reach

NOBODY_KNOWN = "No people table and no item here knows this person: check the id."


def put_down(context: Context, said: ChoiceMade, *, corpus: str | None) -> None:
    """Record a choice, and say where it is and what it is about that nothing here has."""
    position, control = 0, context.deployment.control

    def note(positions: range) -> None:
        nonlocal position
        position = positions[0]

    unknown = _looked_up(context, said, corpus=corpus)
    further = control.own_settings.asker(said.person).further_than(said.choice)
    stays = None if further is None else str(further.reach)
    control.statements.choose([said], recorded=note)
    reaches_back = said.choice.state is ChoiceState.REFUSED and said.choice.reach is Reach.EVERYTHING
    held = f"every release sealed from now on{', and those sealed before are amended' if reaches_back else ''}"
    lines = [f"Recorded at position {position}, about {said.choice.purpose}. It holds for {held}.", *unknown.lines]
    if stays is not None:
        ends = "A yes with the account that said it, or taking it back, ends it."
        lines.append(f"An earlier no of theirs goes further, and stays: {stays}. {ends}")
    unread = said.choice.state is not ChoiceState.REFUSED and said.notice is None
    if unread:
        lines.append("It is no refusal and names no notice: it counts, and the platform answers for what was shown.")
    body = {"position": position, "stays": stays, "without_notice": unread, **unknown.body}
    context.out.show(body, lambda: context.out.text("\n".join(lines)))


def foresee(context: Context, said: ChoiceMade, *, corpus: str | None) -> None:
    """Say in numbers what a refusal would undo, without recording it."""
    unknown, choice = _looked_up(context, said, corpus=corpus), said.choice
    aim = Aim(purpose=choice.purpose, categories=choice.categories, items=choice.items)
    effect = context.deployment.control.own_content.effect(said.person, aim)

    def human() -> None:
        _show(context.out, effect, reach=choice.reach)
        if unknown.lines:
            context.out.text("\n".join(["", *unknown.lines]))

    context.out.show({"reach": str(choice.reach), **effect.to_json(), **unknown.body}, human)


def show_imported(context: Context, done: Imported, *, corpus: str | None) -> None:
    """Say how many choices of a file were recorded, and what is odd about some."""
    body = {
        "recorded": done.recorded,
        "unknown_people": in_json(done.unknown_people),
        "unknown_items": in_json(done.unknown_items),
        "without_notice": in_json(done.without_notice),
        "erased": in_json(done.erased),
    }
    context.out.show(body, lambda: context.out.text("\n".join(_imported(done, corpus))))


def _imported(done: Imported, corpus: str | None) -> Iterator[str]:
    yield f"{counted(done.recorded, 'choice')} recorded."
    yield from _unknown(done.unknown_people, "people whom no people table and no item here knows")
    yield from _unknown(done.unknown_items, f"items that corpus `{corpus}` does not have")
    if gone := done.erased.choices:
        yield f"{counted(gone, 'choice', several='choices')} left out: nothing may be kept of people who were erased."
    if unread := done.without_notice.choices:
        names = counted(unread, "of them is no refusal and names", several="of them are no refusals and name")
        yield f"{names} no notice. That counts; the platform answers for what was shown."


def _unknown(found: Unknown, what: str) -> Iterator[str]:
    if found.choices:
        first = f"{', '.join(found.where)}{', ...' if found.choices > len(found.where) else ''}"
        yield (
            f"{counted(found.choices, 'choice is', several='choices are')} about {what}: {first}. "
            "They are kept; check that their ids are those of your tables."
        )


def _by_others(items: int) -> str:
    return f", {items:,} of them by others who involve them" if items else ""


def _show(out: Output, effect: Effect, *, reach: Reach) -> None:
    out.text("Nothing is recorded yet.")
    if reach is Reach.FUTURE:
        out.text("What there is now would be used as before, and no release would change.")
        if undated := effect.undated + effect.due_undated:
            items = counted(undated, "item", several="items")
            out.text(f"But {items} of unknown date would be left out of every release sealed from now on.")
        return
    left_out = counted(effect.next_release, "item that may be used now", several="items that may be used now")
    out.text(f"{left_out} would be left out of every release sealed from now on{_by_others(effect.next_others)}.")
    if effect.due:
        out.text(f"{counted(effect.due, 'item')} would else be used once they were told and had time to say no.")
    if effect.asked_for:
        out.text(f"{counted(effect.asked_for, 'item')} would be used only after a yes.")
    if reach is not Reach.EVERYTHING:
        out.text("Sealed releases would stay as they are.")
        return
    sealed = counted(len(effect.releases), "sealed release")
    if effect.leaving or not effect.unknown:
        out.text(f"{counted(effect.leaving, 'item')} would leave {sealed}{_by_others(effect.others)}.")
    if effect.unknown:
        out.text(
            f"Of {counted(len(effect.unknown), 'sealed release')} it is not known how many would leave: the files were"
            " registered anew or are gone, and what was known of them is not kept."
        )
    if effect.releases or effect.unknown:
        out.heading("Releases")
        counts = [[name, f"{n:,}"] for name, n in effect.releases.items()]
        out.table(["release", "items that would leave"], [*counts, *([name, "not known"] for name in effect.unknown)])
    if effect.models:
        out.heading("Models that learned from them")
        rows = [[name, "unknown" if n is None else f"{n:,}"] for name, n in effect.models.items()]
        out.table(["model", "items trained on"], rows)


class _Unknown(NamedTuple):
    """What a choice is about that nothing here has: in lines, and as part of a document."""

    lines: list[str]
    body: dict[str, bool]


def _looked_up(context: Context, said: ChoiceMade, *, corpus: str | None) -> _Unknown:
    unknown = UnknownIds(context.deployment.control.desk, corpus=corpus)
    unknown.look(said)
    unknown.done()
    no_person, no_items = bool(unknown.people.choices), bool(unknown.items.choices)
    lines = [
        *([NOBODY_KNOWN] if no_person else []),
        *([f"Corpus `{corpus}` does not have all of these items: check their ids."] if no_items else []),
    ]
    return _Unknown(lines, {"unknown_person": no_person, "unknown_items": no_items})
