"""What became of a person's own content: which releases and models used it, what a choice would undo, item by item."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple, TypeVar

import numpy as np
from pyroaring import BitMap64

from consentry.control_plane.asker import Asker
from consentry.control_plane.consumption import RowsOfFiles
from consentry.control_plane.own_held import Counted, Held, held, not_known
from consentry.control_plane.own_list import PAGE_ITEMS, ItemPage, OneItem, Own, OwnFile, Which
from consentry.control_plane.own_settings import OwnSettings
from consentry.control_plane.people import PersonVerbs
from consentry.corpus.item_ids import Stretch, read_ids, stretches
from consentry.corpus.pseudonym import key_of
from consentry.corpus.registration import Corpus
from consentry.errors import ConsentryError, NotFoundError
from consentry.ledger.events import Pseudonym
from consentry.oversight.order import Order
from consentry.policy.matrix import MatrixCompiler
from consentry.policy.vocabulary import Category, Purpose
from consentry.release.basis import rules_for
from consentry.release.own_items import Appearing, OwnItem

_Name = TypeVar("_Name", bound=Hashable)
_Item = TypeVar("_Item", OwnItem, Appearing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What a choice is about. Empty `categories` and `items` are all; `items` are pseudonyms."""

    purpose: Purpose
    categories: frozenset[Category] = frozenset()
    items: frozenset[Pseudonym] = frozenset()

    @property
    def keys(self) -> frozenset[int]:
        """What sidecars hold of the items."""
        return frozenset(key_of(each) for each in self.items)

    def chosen(self, items: Iterable[tuple[int, _Item]]) -> list[_Item]:
        """Return the items that it is about, of some with what sidecars keep of their ids."""
        if wanted := self.keys:
            return [item for key, item in items if key in wanted]
        return [item for _, item in items if not self.categories or item.category in self.categories]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What a refusal would undo, and what it has undone.

    Attributes:
        next_release: items that may be used now and would be left out of every release that is made from then on;
            `next_others` of them are by somebody else, who involves them.
        undated: those of them of which nobody knows when they were made: they are left out by a refusal of later
            content as well.
        due: items that would be left out then too, and are else used once they were told and had time to say no;
            `due_undated` of them have no date either.
        asked_for: items that are used only if they say yes, and stay left out.
        leaving: items, each counted once, that sealed releases hold, and `releases` with how many each; `others` of
            them are by somebody else, who involves them.
        left: items that have left sealed releases already.
        models: models that learned from items that `releases` hold or held, with how many (None: not known).
        unknown: releases of which nobody knows any more what they hold of whom, and whether something has left them.
            What leaves them comes on top of `leaving`.
    """

    next_release: int
    next_others: int
    undated: int
    due: int
    due_undated: int
    asked_for: int
    leaving: int
    others: int
    releases: Mapping[str, int]
    left: Mapping[str, int]
    models: Mapping[str, int | None]
    unknown: Mapping[str, bool]

    @property
    def own(self) -> int:
        """How many of those that leave are by them."""
        return self.leaving - self.others

    def to_json(self) -> dict[str, Any]:
        """Return it as it is told to programs: what is not known is None, and never a zero."""
        leaving = {"own": self.own, "others": self.others}
        return {
            "next_release": self.next_release,
            "next_others": self.next_others,
            "undated": self.undated,
            "due": self.due,
            "due_undated": self.due_undated,
            "asked_for": self.asked_for,
            "leaving": dict.fromkeys(leaving) if self.unknown else leaving,
            "releases": {**self.releases, **dict.fromkeys(self.unknown)},
            "left": {**self.left, **{name: None for name, some_left in self.unknown.items() if some_left}},
            "models": dict(self.models),
        }


class _Decided(NamedTuple):
    """What is by a person, and what is by others and involves them, with what sidecars keep of the ids."""

    own: Sequence[tuple[int, OwnItem]]
    appearing: Sequence[tuple[int, Appearing]]


class OwnContent:
    """Verbs of a person about what became of their content."""

    def __init__(self, settings: OwnSettings, *, people: PersonVerbs, barring: Callable[[str], Order | None]) -> None:
        self.desk = settings.desk
        self._settings = settings
        self._people = people
        self._barring = barring

    def releases(self, person: Pseudonym) -> list[dict[str, Any]]:
        """Say of every release what of the person's it holds and what it left out, the newest first.

        `items` are all that they have in its files, by or about them. These, `sealed_with` and `removed` are None if a
        file of the release is not known any more. What is `barred` nobody may read, `for_good` or while an order is in
        force.
        """
        asker = self._settings.asker(person)
        rows, every = self._sealed_rows(asker, self.desk.present().state.releases)
        found = []
        for name, kept in rows.items():
            sealed = self.desk.newest.state.releases[name]
            items = every.get(name)
            if kept is None or items:
                removed = self._people.removals.removed(self.desk.newest.amendments.newest(name))
                gone = sum(len(each & removed[index]) for index, each in (kept or {}).items() if index in removed)
                order = self._barring(name)
                found.append(
                    {
                        "release": name,
                        "purpose": sealed.purpose,
                        "at": self.desk.recorded_at(sealed.position),
                        "position": sealed.position,
                        "items": items,
                        "sealed_with": None if kept is None else sum(map(len, kept.values())),
                        "removed": gone if kept is not None else None if removed else 0,
                        "withdrawn": sealed.withdrawn is not None,
                        "barred": order is not None,
                        "for_good": order is not None and order.ended is not None,
                    }
                )
        return sorted(found, key=lambda each: -each["position"])

    def models(self, person: Pseudonym) -> list[dict[str, Any]]:
        """Say of every model that learned from the person's items how many. What became of it: `ModelVerbs.became`."""
        rows, _ = self._sealed_rows(self._settings.asker(person), self.desk.present().state.releases)
        used = {name: kept for name, kept in rows.items() if kept is None or kept}
        return self._people.models_using(used)

    def concerned(self, purpose: Purpose) -> list[str]:
        """Return the releases that a refusal of a purpose reaches: what `effect` costs grows with their number."""
        releases = self.desk.present().state.releases
        return [
            name for name, each in releases.items() if purpose in each.purpose.lineage or each.purpose.covers(purpose)
        ]

    def readable(self, releases: Iterable[str]) -> dict[str, bool]:
        """Say of releases whether jobs may read them now, or again once an order ends; others are left out.

        Those are withdrawn, or barred for good.
        """
        sealed = self.desk.present().state.releases
        barring = {each: self._barring(each) for each in releases if sealed[each].withdrawn is None}
        return {name: order is None for name, order in barring.items() if order is None or order.ended is None}

    def effect(self, person: Pseudonym, aim: Aim) -> Effect:
        """Say what a refusal would undo, and has undone: nothing is recorded."""
        return self.effects(person, {"": aim})[""]

    def effects(self, person: Pseudonym, aims: Mapping[_Name, Aim]) -> dict[_Name, Effect]:
        """Say of several refusals what each would undo by itself. What is theirs is looked up once."""
        asker = self._settings.asker(person)
        found: dict[_Name, Effect] = {}
        for purpose in dict.fromkeys(aim.purpose for aim in aims.values()):
            part = any(aim.categories or aim.items for aim in aims.values() if aim.purpose is purpose)
            held = self._held(asker, self.concerned(purpose), parts=part)
            files = self._files(asker, purpose)
            own = [(_sidecar_key(*each), each[2]) for file in files for each in file.own()]
            items = _Decided(own, [each for file in files for each in file.appearing()])
            found |= {name: self._effect(held, items, aim) for name, aim in aims.items() if aim.purpose is purpose}
        return found

    def _effect(self, held: Sequence[Held], items: _Decided, aim: Aim) -> Effect:
        concerned: dict[str, RowsOfFiles | None] = {}
        replaced = any(each.replaced for each in held)
        leaving, others = Counted(by_id=replaced), Counted(by_id=replaced)
        releases: dict[str, int] = {}
        left: dict[str, int] = {}
        for each in held:
            chosen = each.chosen(aim.categories, aim.keys)
            if chosen is None or chosen:
                concerned[each.release] = chosen
            if not chosen:
                continue
            gone = {index: rows & each.removed[index] for index, rows in chosen.items() if index in each.removed}
            staying = {index: rows - gone.get(index, BitMap64()) for index, rows in chosen.items()}
            if not each.withdrawn:
                for index, rows in staying.items():
                    leaving.add(each.sidecars[index], rows)
                    if index in each.by_others:
                        others.add(each.sidecars[index], rows & each.by_others[index])
                releases |= {each.release: count} if (count := sum(map(len, staying.values()))) else {}
            left |= {each.release: count} if (count := sum(map(len, gone.values()))) else {}
        models = {each["model"]: each["items"] for each in self._people.models_using(concerned)} if concerned else {}
        mine, theirs = aim.chosen(items.own), aim.chosen(items.appearing)
        used = [item.created for item in mine if item.used]
        beside = [item.created for item in theirs if item.used]
        due = [item.created for item in mine if item.is_due]
        return Effect(
            next_release=len(used) + len(beside),
            next_others=len(beside),
            undated=[*used, *beside].count(None),
            due=len(due),
            due_undated=due.count(None),
            asked_for=sum(item.is_asked_for for item in mine),
            leaving=len(leaving),
            others=len(others),
            releases=releases,
            left=left,
            models=models,
            unknown={each.release: bool(each.removed) for each in held if each.rows is None and not each.withdrawn},
        )

    def _held(self, asker: Asker, releases: Iterable[str], *, parts: bool) -> list[Held]:
        """Return what releases hold of a person; `parts`: with what tells their items apart."""
        own, found = self._people.own_rows(asker.seats), []
        for name in releases if asker.seats else ():
            rows = self._people.rows_in(name, own)
            if rows is not None and not rows:
                continue
            removed = self._people.removals.removed(self.desk.newest.amendments.newest(name))
            withdrawn = self.desk.newest.state.releases[name].withdrawn is not None
            if rows is None:
                found.append(not_known(name, removed=removed, withdrawn=withdrawn))
                continue
            manifest = self._people.archive.remembered(name).manifest
            found.append(held(manifest, own, rows=rows, removed=removed, withdrawn=withdrawn, parts=parts))
        return found

    def items(self, person: Pseudonym, *, purpose: Purpose, which: Which, number: int) -> ItemPage:
        """Return a page of the person's own items."""
        every = self._own_items(self._settings.asker(person), purpose)
        counts = dict.fromkeys(Category, 0)
        for _, _, item in every:
            counts[item.category] += 1
        chosen = which.of(every)
        pages = max(1, -(-len(chosen) // PAGE_ITEMS))
        number = min(max(1, number), pages)
        shown = chosen[(number - 1) * PAGE_ITEMS : number * PAGE_ITEMS]
        return ItemPage(
            items=self._named(shown),
            total=len(chosen),
            number=number,
            pages=pages,
            categories={each: count for each, count in counts.items() if count},
        )

    def every_item(self, person: Pseudonym, *, purpose: Purpose, which: Which) -> list[OneItem]:
        """Return all that `items` pages through."""
        return self._named(which.of(self._own_items(self._settings.asker(person), purpose)))

    def own_item(self, person: Pseudonym, corpus: str, *, id: str) -> Pseudonym:  # noqa: A002
        """Return the pseudonym of an item by or about a person.

        Raises:
            NotFoundError: it is not theirs, or there is none: who asks cannot tell which.
        """
        asker = self._settings.asker(person)
        found = next((each for each in self._settings.corpora()[0] if each.name == corpus), None)
        if found is not None and id and asker.seats:
            item = self.desk.parts.pseudonyms.item(corpus, id)
            key = np.uint64(key_of(item))
            seats = np.array(asker.seats, dtype=np.uint32)
            if any((each.item[each.rows_of(seats)] == key).any() for each in found.sidecars):
                return item
        raise NotFoundError("item-not-yours", "you have no such item", help="choose one of those in the list")

    def by_key(self, person: Pseudonym, purpose: Purpose) -> dict[str, OwnItem]:
        """Return all items by and about a person, by the keys that `items` has, as they are decided for a purpose."""
        every = self._own_items(self._settings.asker(person), purpose)
        return {_key(corpus, number, item): item for corpus, number, item in every}

    def _own_items(self, asker: Asker, purpose: Purpose) -> list[Own]:
        return [own for file in self._files(asker, purpose) for own in file.own()]

    def _files(self, asker: Asker, purpose: Purpose) -> list[OwnFile]:
        corpora, _ = self._settings.corpora()
        published = self._settings.deciding(purpose)
        with self.desk.lock:
            present = self.desk.present()
            at = self.desk.parts.clock()
            known = self._settings.knowledge(present, purpose, at=at)
            orders = present.suspensions(purpose)
        policy = None if published is None else self.desk.document(published.digest)
        rules = () if policy is None else rules_for(policy.rules, decides=policy.decides(purpose))
        compiler = MatrixCompiler((*rules, *orders), purpose)
        return list(self._settings.each_file(asker, compiler, known=known, corpora=corpora, at=at))

    def _named(self, shown: Sequence[Own]) -> list[OneItem]:
        files: dict[tuple[str, int], tuple[Corpus, list[int]]] = {}
        for corpus, number, item in shown:
            files.setdefault((corpus.name, number), (corpus, []))[1].append(item.row)
        parts: list[tuple[str, Stretch]] = []
        for (name, number), (corpus, rows) in files.items():
            with suppress(ConsentryError, OSError):
                parts += [(name, each) for each in stretches(corpus, number, rows=rows)]
        ids = dict(chain.from_iterable(self.desk.parts.runner.map(_ids_of, parts)))
        return [
            OneItem(
                corpus=corpus.name,
                id=ids.get((corpus.name, number, item.row)),
                key=_key(corpus, number, item),
                item=item,
            )
            for corpus, number, item in shown
        ]

    def _sealed_rows(
        self, asker: Asker, releases: Iterable[str]
    ) -> tuple[dict[str, RowsOfFiles | None], dict[str, int]]:
        """Return by release the rows by or about a person it was sealed with, and how many its files have."""
        own = self._people.own_rows(asker.seats)
        rows = {name: self._people.rows_in(name, own) for name in releases} if asker.seats else {}
        every = {}
        for name, kept in rows.items():
            if kept is not None:
                theirs = own.of(self._people.archive.remembered(name).manifest) or {}
                every[name] = sum(each.size for each in theirs.values())
        return rows, every


def _ids_of(part: tuple[str, Stretch]) -> list[tuple[tuple[str, int, int], str]]:
    """Return the ids in a part of a corpus by its name, the number of the file and the row; none if it is gone."""
    name, stretch = part
    try:
        return [((name, stretch.file, row), each) for row, each in read_ids(stretch).items()]
    except OSError:
        return []


def shown_key(item: Pseudonym) -> str:
    """Return the key of an item as it stands in `OneItem`: 16 hexadecimal digits."""
    return _digits(key_of(item))


def _digits(key: int) -> str:
    return f"{key:016x}"


def _key(corpus: Corpus, number: int, item: OwnItem) -> str:
    return _digits(_sidecar_key(corpus, number, item))


def _sidecar_key(corpus: Corpus, number: int, item: OwnItem) -> int:
    return int(corpus.sidecars[number].item[item.row])
