"""What became of a person's own content: which releases and models used it, what a choice would undo, item by item."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap64

from consentry.control_plane.asker import Asker
from consentry.control_plane.consumption import RowsOfFiles
from consentry.control_plane.own_list import PAGE_ITEMS, ItemPage, OneItem, Own, Which
from consentry.control_plane.own_settings import OwnSettings
from consentry.control_plane.people import PersonVerbs
from consentry.corpus.item_ids import item_ids
from consentry.corpus.pseudonym import key_of
from consentry.corpus.registration import Corpus
from consentry.corpus.sidecar import FilePin
from consentry.errors import ConsentryError, NotFoundError
from consentry.ledger.events import Pseudonym
from consentry.oversight.order import Order
from consentry.policy.matrix import ItemClass, MatrixCompiler
from consentry.policy.vocabulary import Category, Purpose
from consentry.release.basis import rules_for
from consentry.release.own_items import OwnItem

_Name = TypeVar("_Name", bound=Hashable)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What a refusal would undo, and what it has undone.

    Attributes:
        next_release: items that may be used now and would be left out of every release that is made from then on.
        due: items that would be left out then too, and are else used once they were told and had time to say no.
        asked_for: items that are used only if they say yes, and stay left out.
        leaving: items, each counted once, that sealed releases hold, and `releases` with how many each; `others` of
            them are by somebody else, who involves them.
        left: items that have left sealed releases already.
        models: models that learned from items that `releases` hold or held, with how many (None: not known).
    """

    next_release: int
    due: int
    asked_for: int
    leaving: int
    others: int
    releases: Mapping[str, int]
    left: Mapping[str, int]
    models: Mapping[str, int | None]

    @property
    def own(self) -> int:
        """How many of those that leave are by them."""
        return self.leaving - self.others

    def to_json(self) -> dict[str, Any]:
        """Return it as it is told to programs."""
        return {
            "next_release": self.next_release,
            "due": self.due,
            "asked_for": self.asked_for,
            "leaving": {"own": self.own, "others": self.others},
            "releases": dict(self.releases),
            "left": dict(self.left),
            "models": dict(self.models),
        }


class _Columns(NamedTuple):
    """Rows of a file, and what they are: the class and the key of each."""

    at: npt.NDArray[np.int64]
    klass: npt.NDArray[Any]
    item: npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """What a release was sealed with of a person, by the numbers of its files, and what has left it since.

    `by_others` are rows about them that somebody else made, as far as that is known. `kinds` and `columns` tell their
    items apart; empty where nobody asks about a part of them.
    """

    release: str
    rows: RowsOfFiles
    by_others: RowsOfFiles
    pins: Mapping[int, FilePin]
    removed: RowsOfFiles
    withdrawn: bool
    kinds: Sequence[ItemClass]
    columns: Mapping[int, _Columns]

    def chosen(self, aim: Aim) -> RowsOfFiles:
        """Return those rows that a choice is about."""
        if not aim.categories and not aim.items:
            return self.rows
        such = np.array([kind.category in aim.categories for kind in self.kinds], dtype=np.bool_)
        keys = np.array(sorted(aim.keys), dtype=np.uint64)
        found = {}
        for index, each in self.columns.items():
            kept = such[each.klass] if aim.categories else np.ones(each.at.size, dtype=np.bool_)
            if keys.size:
                # One is compared and not looked for: a page asks about its items one by one.
                kept &= each.item == keys[0] if keys.size == 1 else np.isin(each.item, keys)
            if kept.any():
                found[index] = BitMap64(each.at[kept].astype(np.uint64))
        return found


class OwnContent:
    """Verbs of a person about what became of their content."""

    def __init__(self, settings: OwnSettings, *, people: PersonVerbs, barring: Callable[[str], Order | None]) -> None:
        self.desk = settings.desk
        self._settings = settings
        self._people = people
        self._barring = barring

    def releases(self, person: Pseudonym) -> list[dict[str, Any]]:
        """Say of every release what of the person's it holds and what it left out, the newest first.

        `sealed_with` is None if a file of the release is not known any more; `items` are all that they have in its
        files, by or about them. What is `barred` nobody may read, `for_good` or while an order is in force.
        """
        asker = self._settings.asker(person)
        rows, every = self._sealed_rows(asker, self.desk.present().state.releases)
        found = []
        for name, kept in rows.items():
            sealed = self.desk.newest.state.releases[name]
            items = every.get(name, 0)
            if kept is None or items:
                removed = self._people.removals.removed(self.desk.newest.amendments.newest(name)) if kept else {}
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
                        "removed": gone,
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

    def effect(self, person: Pseudonym, aim: Aim) -> Effect:
        """Say what a refusal would undo, and has undone: nothing is recorded."""
        return self.effects(person, {"": aim})[""]

    def effects(self, person: Pseudonym, aims: Mapping[_Name, Aim]) -> dict[_Name, Effect]:
        """Say of several refusals what each would undo by itself. What is theirs is looked up once."""
        asker = self._settings.asker(person)
        found: dict[_Name, Effect] = {}
        for purpose in dict.fromkeys(aim.purpose for aim in aims.values()):
            rows, _ = self._sealed_rows(asker, self.concerned(purpose))
            part = any(aim.categories or aim.items for aim in aims.values() if aim.purpose is purpose)
            held = self._held(asker, rows, parts=part)
            every = self._own_items(asker, purpose)
            found |= {name: self._effect(held, every, aim) for name, aim in aims.items() if aim.purpose is purpose}
        return found

    def _effect(self, held: Sequence[_Held], every: Sequence[Own], aim: Aim) -> Effect:
        concerned: dict[str, RowsOfFiles | None] = {}
        leaving: dict[FilePin, BitMap64] = {}
        others: dict[FilePin, BitMap64] = {}
        releases: dict[str, int] = {}
        left: dict[str, int] = {}
        for each in held:
            chosen = each.chosen(aim)
            if not chosen:
                continue
            concerned[each.release] = chosen
            gone = {index: rows & each.removed[index] for index, rows in chosen.items() if index in each.removed}
            staying = {index: rows - gone.get(index, BitMap64()) for index, rows in chosen.items()}
            if not each.withdrawn:
                for index, rows in staying.items():
                    leaving.setdefault(each.pins[index], BitMap64()).update(rows)
                    if index in each.by_others:
                        others.setdefault(each.pins[index], BitMap64()).update(rows & each.by_others[index])
                releases |= {each.release: count} if (count := sum(map(len, staying.values()))) else {}
            left |= {each.release: count} if (count := sum(map(len, gone.values()))) else {}
        models = {each["model"]: each["items"] for each in self._people.models_using(concerned)} if concerned else {}
        mine = _aimed_at(every, aim)
        return Effect(
            next_release=sum(item.used for item in mine),
            due=sum(item.is_due for item in mine),
            asked_for=sum(item.is_asked_for for item in mine),
            leaving=sum(map(len, leaving.values())),
            others=sum(map(len, others.values())),
            releases=releases,
            left=left,
            models=models,
        )

    def _held(self, asker: Asker, rows: Mapping[str, RowsOfFiles | None], *, parts: bool) -> list[_Held]:
        """Return what releases hold of a person; `parts`: with what tells their items apart."""
        corpora = {each.name: each for each in self._settings.corpora()[0]}
        sidecars = {name: {each.pin: each for each in corpus.sidecars} for name, corpus in corpora.items()}
        seats, found = np.array(asker.seats, dtype=np.uint32), []
        for name, kept in rows.items():
            if not kept:
                continue
            manifest = self._people.archive.remembered(name).manifest
            pins = {index: manifest.files[index].pin for index in kept}
            known = sidecars.get(manifest.corpus, {})
            if parts and not known.keys() >= set(pins.values()):
                # Registered anew since the rows were found: as a file that is not known any more.
                continue
            by_others: dict[int, BitMap64] = {}
            columns: dict[int, _Columns] = {}
            for index, each in kept.items():
                if pins[index] not in known:
                    continue
                sidecar, at = known[pins[index]], np.asarray(each.to_array(), dtype=np.int64)
                foreign = at[~np.isin(sidecar.person[at], seats)]
                if foreign.size:
                    by_others[index] = BitMap64(foreign.astype(np.uint64))
                if parts:
                    columns[index] = _Columns(at, sidecar.klass[at], sidecar.item[at])
            found.append(
                _Held(
                    release=name,
                    rows=kept,
                    by_others=by_others,
                    pins=pins,
                    removed=self._people.removals.removed(self.desk.newest.amendments.newest(name)),
                    withdrawn=self.desk.newest.state.releases[name].withdrawn is not None,
                    kinds=corpora[manifest.corpus].items if parts else (),
                    columns=columns,
                )
            )
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
        return list(self._settings.own_items(asker, compiler, known=known, corpora=corpora, at=at))

    def _named(self, shown: Sequence[Own]) -> list[OneItem]:
        files: dict[tuple[str, int], tuple[Corpus, list[int]]] = {}
        for corpus, number, item in shown:
            files.setdefault((corpus.name, number), (corpus, []))[1].append(item.row)
        ids: dict[tuple[str, int, int], str] = {}
        for (name, number), (corpus, rows) in files.items():
            try:
                named = zip(rows, item_ids(corpus, number, rows=rows), strict=True)
                ids |= {(name, number, row): each for row, each in named}
            except (ConsentryError, OSError):
                continue
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
        mine: dict[Any, Any] = {}
        rows = {name: self._people.rows_in(name, asker.seats, mine=mine) for name in releases} if asker.seats else {}
        every = {}
        for name, kept in rows.items():
            if kept is not None:
                manifest = self._people.archive.remembered(name).manifest
                every[name] = sum(mine[manifest.corpus, file.pin].size for file in manifest.files)
        return rows, every


def shown_key(item: Pseudonym) -> str:
    """Return the key of an item as it stands in `OneItem`: 16 hexadecimal digits."""
    return _digits(key_of(item))


def _digits(key: int) -> str:
    return f"{key:016x}"


def _key(corpus: Corpus, number: int, item: OwnItem) -> str:
    return _digits(int(corpus.sidecars[number].item[item.row]))


def _aimed_at(every: Iterable[Own], aim: Aim) -> list[OwnItem]:
    """Return the items that a choice is about."""
    if wanted := aim.keys:
        return [item for corpus, number, item in every if int(corpus.sidecars[number].item[item.row]) in wanted]
    return [item for _, _, item in every if not aim.categories or item.category in aim.categories]
