"""The composition root: opens a deployment from its settings. The only importer of adapters, and of the clock.

    deployment = open_deployment(Path("consentry-home"))
    deployment.control.publish(text, "policy.toml")

A home that holds neither keys nor a ledger is new, and both are made; so are keys that are missing while nothing was
said yet. A home with keys but without its ledger is a deployment that lost it: it is refused, because an empty ledger
would forget every refusal without a word. So is one whose keys are missing: a new key would fit no stored pseudonym.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from consentry.connectors.stackexchange import convert as stackexchange
from consentry.connectors.tabular import choices as choice_files
from consentry.connectors.tabular import convert as tabular
from consentry.control_plane.parts import Parts
from consentry.control_plane.plane import ControlPlane
from consentry.corpus.people import PeopleIndex
from consentry.corpus.population import Population, read_people_descriptor
from consentry.corpus.pseudonym import PseudonymKey, high_words, pseudonym, pseudonyms
from consentry.corpus.registration import read_descriptor
from consentry.durable import only_one
from consentry.errors import ChoiceError, StateError
from consentry.ledger.envelope import Event
from consentry.ledger.events import ChoiceMade, Pseudonym
from consentry.ledger.postgres import migrate_postgres, open_postgres
from consentry.ledger.sql import SqlLedger
from consentry.ledger.sqlite import open_sqlite
from consentry.policy.choice import Choice, Seconds
from consentry.policy.vocabulary import Age
from consentry.runners.local import LocalRunner
from consentry.settings import Settings, read_settings
from consentry.storage import Ed25519Signer, Keys, Objects, verify_signature

Progress = Callable[[int], None]
_SQLITE = "sqlite:///"


def now() -> Seconds:
    """Return the time: the one place where the clock is read."""
    return int(time.time())


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """Raw ids to what is stored of them, under the deployment's key."""

    key: PseudonymKey
    index: PeopleIndex

    def person(self, person: str) -> Pseudonym:
        """Return the pseudonym of a person id."""
        return pseudonym(self.key.for_people(), person)

    def item(self, corpus: str, item: str) -> Pseudonym:
        """Return the pseudonym of an item id of a corpus."""
        return pseudonym(self.key.for_items(corpus), item)

    def identities(self, corpus: str) -> Identities:
        """Return what turns the id columns of a corpus into seats and keys."""
        return Identities(people=self.key.for_people(), items=self.key.for_items(corpus), index=self.index)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identities:
    """Whole columns of ids to seats and keys; see `consentry.corpus.sidecar.Identities`."""

    people: PseudonymKey
    items: PseudonymKey
    index: PeopleIndex

    def seats(self, ids: pa.Array) -> npt.NDArray[np.uint32]:
        """Return the seat of each person id; null and empty ids are nobody."""
        return self.index.assign(pseudonyms(self.people, ids)) + np.uint32(1)

    def item_keys(self, ids: pa.Array) -> npt.NDArray[np.uint64]:
        """Return the first half of each item's pseudonym."""
        return high_words(self.items, ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """An opened deployment: the control plane, and what needs raw ids or an adapter around it."""

    settings: Settings
    control: ControlPlane
    pseudonyms: Pseudonyms
    ledger: SqlLedger

    def close(self) -> None:
        """Let go of the ledger."""
        self.ledger.close()

    def person(self, person: str) -> Pseudonym:
        """Return the pseudonym of a person id."""
        return self.pseudonyms.person(person)

    def item(self, corpus: str, item: str) -> Pseudonym:
        """Return the pseudonym of an item id."""
        return self.pseudonyms.item(corpus, item)

    def history(self, person: str) -> Iterator[Event]:
        """Return every event that names a person, oldest first."""
        return self.ledger.history(self.person(person))

    def import_choices(self, file: Path, *, corpus: str | None, progress: Progress | None = None) -> int:
        """Record the choices in a file. It is read twice: nothing is recorded if a row is wrong."""
        for row in choice_files.read_choices(file):
            if row.items and corpus is None:
                raise ChoiceError(
                    "choice-items-without-corpus",
                    "the choice names single items, but no corpus they belong to",
                    help="say which: --corpus NAME",
                    where=row.where,
                )
        return self.control.choose(self._choices(file, corpus, progress))

    def _choices(self, file: Path, corpus: str | None, progress: Progress | None) -> Iterator[ChoiceMade]:
        for row in choice_files.read_choices(file):
            items = frozenset(self.item(corpus, item) for item in row.items) if corpus is not None else frozenset()
            yield ChoiceMade(
                person=self.person(row.person),
                choice=Choice(
                    purpose=row.purpose,
                    state=row.state,
                    reach=row.reach,
                    at=row.at,
                    categories=row.categories,
                    items=items,
                ),
                source=row.source,
                notice=row.notice,
            )
            if progress is not None:
                progress(1)

    def import_stackexchange(
        self, dump: Path, target: Path, *, age: Age = Age.UNKNOWN, progress: Progress | None = None
    ) -> Mapping[str, Any]:
        """Convert a Stack Exchange dump into a corpus folder; `age` is what the caller vouches for."""
        made = stackexchange.convert(dump, target, age=age, progress=progress)
        return {
            "sites": ", ".join(made.sites),
            "people": made.people,
            "linked accounts": made.linked_accounts,
            "items": made.items.total(),
            **{f"items: {kind}": count for kind, count in made.items.most_common()},
            "without an owner": made.without_owner,
            "involving others": made.with_involved,
            "with an unknown contributor": made.with_unknown_contributor,
            "community wiki": made.community_wiki,
            **{f"licence: {licence or 'none'}": count for licence, count in made.licences.most_common()},
        }

    def import_tabular(
        self,
        descriptor: Path,
        target: Path,
        *,
        people: Path | None = None,
        query: tuple[str, str] | None = None,
        people_query: tuple[str, str] | None = None,
        progress: Progress | None = None,
    ) -> Mapping[str, int]:
        """Convert CSV, JSON lines, Parquet or the rows of queries (URL, SQL) into a corpus folder."""
        made = tabular.convert(
            target,
            corpus=read_descriptor(descriptor),
            items=tabular.Files(descriptor.parent) if query is None else tabular.Query(*query),
            people=None if people is None else read_people_descriptor(people),
            people_from=_people_source(people, people_query),
            progress=progress,
        )
        return {"items": made.items, "people": made.people}

    def generate_network(self, target: Path, *, people: int, items: int, seed: int) -> None:
        """Write a synthetic professional network as a corpus folder, with a file of choices."""
        # Only here: it brings a library of names that nothing else needs, and every command would wait for it.
        from consentry.connectors.synthetic import generate as synthetic  # noqa: PLC0415

        synthetic.generate(target, people=people, items=items, seed=seed)


def open_deployment(home: Path | None = None) -> Deployment:
    """Open the deployment in `home` (else CONSENTRY_HOME, else `consentry-home`); an empty home becomes a new one."""
    settings = read_settings(home)
    folder = settings.home
    embedded = settings.ledger.startswith(_SQLITE)
    ledger_file = Path(settings.ledger.removeprefix(_SQLITE))
    folder.mkdir(parents=True, exist_ok=True)
    window = settings.group_commit_window_ms / 1000
    # Two first starts at a time would make two keys, of which one is kept.
    with only_one(folder / "opening.lock"):
        is_new = not (folder / "keys").exists() and not (embedded and ledger_file.exists())
        if embedded:
            ledger = open_sqlite(
                ledger_file, clock=now, create=is_new, window=window, timeout=settings.ledger_timeout_s
            )
        else:
            ledger = open_postgres(
                settings.ledger,
                clock=now,
                replica="required" if settings.ledger_replica_required else "none",
                window=window,
                timeout=settings.ledger_timeout_s,
            )
        try:
            pseudonym_key, signer = _keys(folder, empty=ledger.head() == 0)
        except BaseException:
            ledger.close()
            raise
    key = PseudonymKey(pseudonym_key)
    objects = Objects(folder / "objects")
    index = PeopleIndex(folder / "people")
    names = Pseudonyms(key=key, index=index)
    parts = Parts(
        home=folder,
        ledger=ledger,
        personal=ledger,
        objects=objects,
        people=Population(folder / "people", index=index, key=key.for_people(), objects=objects, clock=now),
        pseudonyms=names,
        runner=LocalRunner(settings.thread_count),
        signer=signer,
        check_signature=partial(_is_ours, signer),
        clock=now,
    )
    return Deployment(settings=settings, control=ControlPlane(parts), pseudonyms=names, ledger=ledger)


def _people_source(people: Path | None, query: tuple[str, str] | None) -> tabular.Files | tabular.Query | None:
    if people is None:
        return None
    return tabular.Files(people.parent) if query is None else tabular.Query(*query)


def migrate(home: Path | None = None) -> None:
    """Make or update the tables of the PostgreSQL ledger that the settings of a home name; SQLite needs no asking.

    Raises:
        StateError: the settings name no PostgreSQL ledger.
    """
    settings = read_settings(home)
    if settings.ledger.startswith(_SQLITE):
        raise StateError(
            "ledger-not-postgres",
            "this deployment keeps its ledger in SQLite, which is migrated when it is opened",
            help="set CONSENTRY_LEDGER_URL to the PostgreSQL ledger that is to be migrated",
        )
    migrate_postgres(settings.ledger, timeout=settings.ledger_timeout_s)


def _keys(folder: Path, *, empty: bool) -> tuple[bytes, Ed25519Signer]:
    """Return the keys of a deployment; those missing are made only if no pseudonym was ever stored."""
    if empty and (folder / "releases").exists():
        raise StateError(
            "ledger-emptied",
            "there are releases, but the ledger is empty",
            help="restore the ledger from a backup: an empty one would forget every refusal without a word",
        )
    keys = Keys(folder / "keys")
    # A first start may have been interrupted between ledger and keys.
    fresh = empty and not (folder / "people" / "index.json").exists()
    return keys.pseudonym_key(create=fresh), keys.signer(create=fresh)


def _is_ours(signer: Ed25519Signer, key_id: str, signature: bytes, content: bytes) -> bool:
    return key_id == signer.key_id and verify_signature(signer.public_key, signature=signature, content=content)
