"""The composition root: opens a deployment from its settings. The only importer of adapters.

    deployment = open_deployment(Path("consentry-home"))
    deployment.control.statements.publish(text, "policy.toml")

A home that holds neither keys nor a ledger is new, and both are made; so are keys that are missing while nothing was
said yet. A home with keys but without its ledger is a deployment that lost it: it is refused, because an empty ledger
would forget every refusal without a word. So is one whose keys are missing: a new key would fit no stored pseudonym.

The first opening writes down which ledger and keys belong to the home (`consentry.identity`): the key into the ledger,
then all of it into `identity.json`. Killed in between, the next opening does the rest. Every later one compares before
it writes anything. A lost `identity.json` is written anew if neither the ledger nor a release contradicts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from consentry.accounts.admission import Admission
from consentry.clock import boot, milliseconds, now, uptime
from consentry.control_plane.older_copy import GoneOn, go_on, require_newest
from consentry.control_plane.parts import Parts
from consentry.control_plane.plane import ControlPlane, compose
from consentry.control_plane.unknown_ids import Imported, UnknownIds
from consentry.corpus.identities import Pseudonyms
from consentry.corpus.parquet_files import rows_in
from consentry.corpus.people import PeopleIndex
from consentry.corpus.people_load import LoadReport
from consentry.corpus.population import Population, index_behind, read_people_descriptor
from consentry.corpus.pseudonym import PseudonymKey
from consentry.corpus.registration import read_descriptor, seats_in_use
from consentry.durable import replace_file
from consentry.errors import ChoiceError, ConsentryError, StateError
from consentry.home import holding, read_identity
from consentry.identity import IDENTITY_FILE, Identity, require_pseudonym_key, require_signing_key
from consentry.ledger.case_events import Handle
from consentry.ledger.envelope import Event
from consentry.ledger.events import ChoiceMade, Pseudonym, made_too_late
from consentry.ledger.objection_events import ObjectionReceived
from consentry.ledger.postgres import migrate_postgres
from consentry.ledger.sql import SqlLedger
from consentry.opening import notes_of, open_ledger, recognise, require_releases
from consentry.policy.choice import Choice, Seconds
from consentry.policy.vocabulary import Age
from consentry.progress import Progress, Watching, unwatched
from consentry.public_key import verify_signature
from consentry.release.sealed import CheckSignature
from consentry.runners.local import LocalRunner
from consentry.runners.spark import SparkRunner
from consentry.served_form import served_form
from consentry.settings import SQLITE, Settings, read_settings
from consentry.storage import PUBLIC_KEY, Ed25519Signer, Keys, Objects, SealedText, TextKey

ACCOUNTS_FILE = "accounts.db"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """An opened deployment: the control plane, and what needs raw ids or an adapter around it."""

    settings: Settings
    control: ControlPlane
    pseudonyms: Pseudonyms
    ledger: SqlLedger
    runner: LocalRunner | SparkRunner

    def close(self) -> None:
        """Let go of the ledger, once the state is kept that is being kept."""
        try:
            self.control.desk.settle()
        finally:
            try:
                self.ledger.close()
            finally:
                self.runner.close()

    def key_trouble(self) -> ConsentryError | None:
        """Return why this deployment could not be opened again: a key is gone, or another's. What runs has its keys."""
        folder, texts = self.settings.home, len(self.control.desk.newest.overseen.objections) > 0
        try:
            secret, signer = Keys(folder / "keys").as_they_are(texts=texts)
            if (bound := read_identity(folder)) is not None:
                require_pseudonym_key(bound.pseudonym_key, PseudonymKey(secret).fingerprint())
                require_signing_key(bound.signing_key, signer.key_id)
        except ConsentryError as error:
            return error
        return None

    @contextmanager
    def admission(self) -> Iterator[Admission]:
        """Open the accounts while the block lasts: in the database of the ledger, or in a file beside it."""
        # Only here, as all below that only some commands need: the others would wait for it.
        from consentry.accounts.sql import SqlAccounts  # noqa: PLC0415

        settings = self.settings
        place = settings.ledger if settings.ledger_file is None else f"{SQLITE}{settings.home / ACCOUNTS_FILE}"
        ledger = self.control.desk.parts.ledger_id
        store = SqlAccounts(place, ledger=ledger, sealing=SealedText(self.pseudonyms.key.for_web()))
        try:
            yield Admission(store, clock=self.control.desk.parts.clock)
        finally:
            store.close()

    def person(self, person: str) -> Pseudonym:
        """Return the pseudonym of a person id."""
        return self.pseudonyms.person(person)

    def item(self, corpus: str, item: str) -> Pseudonym:
        """Return the pseudonym of an item id."""
        return self.pseudonyms.item(corpus, item)

    def history(self, person: str) -> list[Event]:
        """Return every event that names a person or an account of theirs that is linked, oldest first."""
        return self.control.own_settings.history(self.person(person))

    def load_people(
        self, descriptor: Path, *, query: tuple[str, str] | None = None, progress: Progress | None = None
    ) -> LoadReport:
        """Load the people table that a descriptor names: Parquet, CSV, JSON lines, or a query's rows (URL, SQL)."""
        from consentry.connectors.tabular import convert as tabular  # noqa: PLC0415

        source = tabular.source(descriptor, query)
        batches = tabular.people_batches(read_people_descriptor(descriptor, queried=query is not None), source)
        loaded: LoadReport = self.control.statements.load_people(descriptor, batches=batches, progress=progress)
        return loaded

    def import_choices(
        self,
        file: Path,
        *,
        corpus: str | None,
        progress: Progress | None = None,
        recorded: Callable[[range], None] | None = None,
    ) -> Imported:
        """Record the choices in a file. It is read twice: nothing is recorded if a row is wrong.

        `recorded` is called with the positions of choices that are durable; interrupted, those are all that hold.
        """
        from consentry.connectors.tabular import choices as choice_files  # noqa: PLC0415

        if corpus is not None:
            self.control.statements.require_corpus(corpus)
        count, unknown = 0, UnknownIds(self.control.desk, corpus=corpus)
        if progress is not None:
            progress.begin("checking choices", total=rows_in([file]), unit="choices")
        for row in choice_files.read_choices(file):
            count += 1
            if progress is not None:
                progress(1)
            if row.at > self.control.desk.parts.clock():
                raise made_too_late(row.at, where=row.where)
            if row.items and corpus is None:
                raise ChoiceError(
                    "choice-items-without-corpus",
                    "the choice names single items, but no corpus they belong to",
                    help="say which: --corpus NAME",
                    where=row.where,
                )
            unknown.look(self._choice(row, corpus), where=row.where)
        unknown.done()
        if progress is not None:
            progress.begin("recording choices", total=count, unit="choices")
        rows = self._choices(choice_files.read_choices(file), corpus, progress)
        made = self.control.statements.choose(rows, recorded=recorded, left_out=unknown.leave_out)
        return unknown.imported(made)

    def _choices(self, rows: Iterable[Any], corpus: str | None, progress: Progress | None) -> Iterator[ChoiceMade]:
        for row in rows:
            yield self._choice(row, corpus)
            if progress is not None:
                progress(1)

    def _choice(self, row: Any, corpus: str | None) -> ChoiceMade:
        items = frozenset(self.item(corpus, item) for item in row.items) if corpus is not None else frozenset()
        return ChoiceMade(
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

    @staticmethod
    def import_stackexchange(
        dump: Path, target: Path, *, age: Age = Age.UNKNOWN, progress: Progress | None = None
    ) -> Mapping[str, Any]:
        """Convert a Stack Exchange dump into a corpus folder; `age` is what the caller vouches for."""
        from consentry.connectors.stackexchange import convert as stackexchange  # noqa: PLC0415

        if progress is not None:
            progress.begin("converting", total=None, unit="rows")
        return stackexchange.convert(dump, target, age=age, progress=progress).report()

    @staticmethod
    def import_tabular(
        descriptor: Path,
        target: Path,
        *,
        people: Path | None = None,
        query: tuple[str, str] | None = None,
        people_query: tuple[str, str] | None = None,
        progress: Progress | None = None,
    ) -> Mapping[str, int]:
        """Convert CSV, JSON lines, Parquet or the rows of queries (URL, SQL) into a corpus folder."""
        from consentry.connectors.tabular import convert as tabular  # noqa: PLC0415

        if progress is not None:
            progress.begin("converting", total=None, unit="rows")
        made = tabular.convert(
            target,
            corpus=read_descriptor(descriptor, queried=query is not None),
            items=tabular.source(descriptor, query),
            people=None if people is None else read_people_descriptor(people, queried=people_query is not None),
            people_from=None if people is None else tabular.source(people, people_query),
            progress=progress,
        )
        return {"items": made.items, "people": made.people}

    @staticmethod
    def generate_network(target: Path, *, people: int, items: int, seed: int, progress: Progress | None = None) -> None:
        """Write a synthetic professional network as a corpus folder, with a file of choices."""
        from consentry.connectors.synthetic import generate as synthetic  # noqa: PLC0415

        if progress is not None:
            progress.begin("generating", total=items, unit="items")
        synthetic.generate(target, people=people, items=items, seed=seed, progress=progress)


def _real_time() -> Seconds:
    return 0


def open_deployment(
    home: Path | None = None,
    *,
    embedded: bool = False,
    ahead: Callable[[], Seconds] = _real_time,
    watching: Watching = unwatched,
) -> Deployment:
    """Open the deployment in `home` (else CONSENTRY_HOME, else `consentry-home`); an empty home becomes a new one.

    With `embedded`, its ledger is that in the home, whatever the environment names. `ahead` says how many seconds its
    clock is ahead of the real one, for a story that is played in a minute. No deadline of a lease depends on it.
    `watching` is told of work that no verb announces: reading the ledger, bringing sealed releases up to date.
    """

    def clock() -> Seconds:
        return now() + ahead()

    settings = read_settings(home, embedded=embedded)
    folder = settings.home
    with holding(folder):
        ledger, key, signer, index = _belonging_together(settings, clock)
    objects = Objects(folder / "objects")
    names = Pseudonyms(key=key, index=index)
    runner = _runner(settings)
    parts = Parts(
        home=folder,
        ledger=ledger,
        personal=ledger,
        objects=objects,
        people=Population(folder / "people", index=index, key=key.for_people(), objects=objects, clock=clock),
        pseudonyms=names,
        texts=TextKey(Keys(folder / "keys"), may_create=lambda: not _any_objection(ledger)),
        runner=runner,
        signer=signer,
        cache_key=key.for_cache(),
        ledger_id=ledger.identity().ledger,
        check_signature=_checks(signer),
        objection_form=partial(served_form, folder),
        clock=clock,
        milliseconds=lambda: milliseconds() + 1_000 * ahead(),
        uptime=uptime,
        boot=boot(),
        watching=watching,
    )
    return Deployment(settings=settings, control=compose(parts), pseudonyms=names, ledger=ledger, runner=runner)


def _runner(settings: Settings) -> LocalRunner | SparkRunner:
    threads = LocalRunner(settings.thread_count)
    return SparkRunner(settings.spark, here=threads) if settings.spark else threads


def _belonging_together(
    settings: Settings, clock: Callable[[], Seconds]
) -> tuple[SqlLedger, PseudonymKey, Ed25519Signer, PeopleIndex]:
    folder = settings.home
    bound = read_identity(folder)
    ledger = open_ledger(settings, bound, clock=clock)
    try:
        key, signer = _keys(folder, ledger, bound)
        ledger.note_to(acknowledged := notes_of(settings, ledger))
        require_newest(folder, ledger, acknowledged=acknowledged)
        index = PeopleIndex(folder / "people")
        if len(index) + 1 < seats_in_use(folder / "corpora"):
            raise index_behind("a sidecar")
    except BaseException:
        ledger.close()
        raise
    return ledger, key, signer, index


def accept_older(home: Path | None = None, *, by: Handle, reference: str) -> GoneOn:
    """Go on with an older copy of the ledger, as the newest is lost for good: see `control_plane.older_copy`.

    Raises:
        StateError: the ledger has forgotten nothing.
        IntegrityError: it is that of another deployment.
    """
    settings = read_settings(home)
    folder, bound = settings.home, read_identity(settings.home)
    with holding(folder), closing(open_ledger(settings, bound, clock=now)) as ledger:
        _keys(folder, ledger, bound)
        ledger.note_to(acknowledged := notes_of(settings, ledger))
        return go_on(folder, ledger, acknowledged=acknowledged, by=by, reference=reference)


def published_key(home: Path | None = None) -> bytes | None:
    """Return the key that a home publishes (PEM), None if there is no such home."""
    path = read_settings(home).home / "keys" / PUBLIC_KEY
    return path.read_bytes() if path.exists() else None


def _any_objection(ledger: SqlLedger) -> bool:
    return any(isinstance(event.body, ObjectionReceived) for event in ledger.read(only_open=True, consumed=False))


def migrate(home: Path | None = None) -> None:
    """Make or update the tables of the PostgreSQL ledger that the settings of a home name; SQLite needs no asking.

    Raises:
        StateError: the settings name no PostgreSQL ledger.
        IntegrityError: they name another deployment's, which is left as it is.
    """
    settings = read_settings(home)
    if settings.ledger_file is not None:
        raise StateError(
            "ledger-not-postgres",
            "this deployment keeps its ledger in SQLite, which is migrated when it is opened",
            help="set CONSENTRY_LEDGER_URL to the PostgreSQL ledger that is to be migrated",
        )
    belongs = partial(recognise, read_identity(settings.home))
    migrate_postgres(settings.ledger, recognise=belongs, timeout=settings.ledger_timeout_s)


def _keys(folder: Path, ledger: SqlLedger, bound: Identity | None) -> tuple[PseudonymKey, Ed25519Signer]:
    """Return the keys of a deployment, which belong to its home and its ledger from now on, if nothing contradicts.

    Those that are missing are made only if no pseudonym was ever stored.
    """
    empty, known = ledger.head() == 0, ledger.identity()
    seated = (folder / "people" / "index.json").exists()
    # Seats are given before the ledger says so: a bound home may have been interrupted there.
    if empty and ((folder / "releases").exists() or (seated and bound is None)):
        raise StateError(
            "ledger-emptied",
            "there are releases or seats of people, but the ledger is empty",
            help="restore the ledger from a backup: an empty one would forget every refusal without a word",
        )
    keys = Keys(folder / "keys")
    # A first start may have been interrupted between ledger and keys.
    fresh = empty and not seated and bound is None and known.pseudonym_key is None
    key, signer = PseudonymKey(keys.pseudonym_key(create=fresh)), keys.signer(create=fresh)
    found = Identity(ledger=known.ledger, pseudonym_key=key.fingerprint(), signing_key=signer.key_id)
    if bound is None:
        require_releases(folder, ledger, found=found)
    else:
        require_pseudonym_key(bound.pseudonym_key, found.pseudonym_key)
        require_signing_key(bound.signing_key, found.signing_key)
    require_pseudonym_key(known.pseudonym_key or ledger.bind(found.pseudonym_key), found.pseudonym_key)
    if bound is None:
        replace_file(folder / IDENTITY_FILE, found.to_bytes())
    keys.publish(signer)
    return key, signer


def _checks(signer: Ed25519Signer) -> CheckSignature:
    def _is_ours(key_id: str, signature: bytes, content: bytes) -> bool:
        return key_id == signer.key_id and verify_signature(signer.public_key, signature=signature, content=content)

    return _is_ours
