"""Registering a corpus: every content file gets a sidecar, and the whole becomes a snapshot with a digest.

    corpora/<name>/
      corpus.json          where the files are, and the newest snapshot; written last
      earlier/<snapshot>.json  the same of snapshots before, as long as a sealed release was made from them
      item_classes.json    what the codes in the sidecars mean; each sidecar pins those it was built with
      broken.json          what was damaged or lost, until all that follows from that is done (`broken.py`)
      lock                 held by the process that registers
      sidecars/<key>/      one a file; the key is a digest of path, size, time of change and descriptor. If the file has
                           other bytes though these are the same, or one was damaged, `<key>-2`, and so on

Registering again builds only the sidecars of files that are new or changed, and those that are damaged, beside those of
the snapshot before, which stays in force until `corpus.json` names the new ones. A damaged one stays until all that
follows is done: a registration that was interrupted is made up for by the next. What a sealed release was made from
stays after that: why an item is in it is told by what was known of the item then. A snapshot says which bytes the
corpus is made of; it does not say where they lie, so the folder may move.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from consentry.corpus import broken, heads
from consentry.corpus.descriptor import CorpusDescriptor, parse_corpus, resolve_files
from consentry.corpus.descriptor_source import read_text
from consentry.corpus.difference import Seats, nobody
from consentry.corpus.intact import Altered, altered, kept, replaced
from consentry.corpus.item_classes import ItemClasses
from consentry.corpus.mistakes import each_once
from consentry.corpus.parquet_files import rows_in
from consentry.corpus.sidecar import FilePin, Identities, Sidecar, changed, load, seats_of_sidecar, still_of, usable
from consentry.corpus.sidecar_build import build, check
from consentry.corpus.sidecar_names import SidecarNames, finished
from consentry.corpus.unique_ids import Threads, first_rows, not_unique, repeated
from consentry.digests import Digest, canonical_json, digest_json
from consentry.durable import only_one, replace_file
from consentry.errors import ConflictError, ConsentryError, CorpusError, DescriptorError, raise_all
from consentry.exhausted import full_as, listed, require_room
from consentry.policy.matrix import ItemClass
from consentry.progress import Progress

_CLASSES, _SIDECARS, _LOCK = "item_classes.json", "sidecars", "lock"
_OPEN_ATTEMPTS = 3
_EXAMPLE = "network/corpus.toml"
_FULL = "free some space and register again; what was registered before stays in force"


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """A registered corpus, opened: its files in order of name, with their sidecars.

    `head` is what was read to open it, None if it was not read but just registered.
    """

    name: str
    base: Path
    descriptor: CorpusDescriptor
    snapshot: Digest
    sidecars: tuple[Sidecar, ...]
    items: tuple[ItemClass, ...]
    head: Mapping[str, Any] | None = None

    @property
    def rows(self) -> int:
        """Number of items."""
        return sum(sidecar.rows for sidecar in self.sidecars)

    def path(self, sidecar: Sidecar) -> Path:
        """Return where a content file is."""
        return self.base / sidecar.pin.path

    def check_files(self) -> None:
        """Raise unless every content file is still the one it is pinned to, see `still_of`."""
        for sidecar in self.sidecars:
            if not still_of(sidecar, self.path(sidecar)):
                raise changed(sidecar.pin.path, self.path(sidecar))


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What registering did. Of what is `broken`, who withdrew has to be looked for; by names: what stands in for it."""

    corpus: Corpus
    built: int
    kept: int
    broken: broken.Broken
    renamed: Mapping[str, str]

    @property
    def mended(self) -> int:
        """How many sidecars were damaged or lost."""
        return len(self.broken.names)


def read_descriptor(path: Path, *, queried: bool = False) -> CorpusDescriptor:
    """Read the corpus descriptor in a file; it need not name files if the rows come from a query.

    Raises:
        DescriptorError: there is no such file, or it cannot be used.
    """
    return parse_corpus(read_text(path, like=_EXAMPLE), filename=str(path), queried=queried)


@full_as("corpus-disk-full", "no space left to register the corpus", help=_FULL)
def register(
    path: Path,
    folder: Path,
    *,
    identities: Callable[[str], Identities],
    threads: Threads,
    erased: Callable[[], Seats] = nobody,
    numbered: Callable[[str], int] = lambda _: 0,
    progress: Progress | None = None,
) -> Registration:
    """Bring the corpus folder up to date with the content files. Interrupted, the snapshot before stays in force.

    Args:
        path: the descriptor.
        folder: the folder all corpora are kept in.
        identities: what turns ids into seats and keys, for the corpus of that name.
        threads: where the work is done.
        erased: the seats of people who were erased.
        numbered: a number that no sidecar of the corpus of that name had: nobody knows any more which ones there were.
        progress: called with the number of items read since the last call.
    """
    text = read_text(path, like=_EXAMPLE)
    descriptor = parse_corpus(text, filename=str(path))
    home = folder / descriptor.name
    home.mkdir(parents=True, exist_ok=True)
    # Two registrations at a time would give one code to two item classes.
    with only_one(home / _LOCK):
        found = broken.in_force(home, home / _SIDECARS) | broken.noted(home)
        named = heads.named_sidecars(home)
        names = SidecarNames(named, folder=home / _SIDECARS, behind=numbered(descriptor.name))
        classes = ItemClasses.load(home / _CLASSES)
        registering = _Registering(home, path.parent.resolve(), descriptor, classes, names, found)
        done = registering.register(identities(descriptor.name), threads=threads, erased=erased, progress=progress)
        registering.commit(done, text)
        return done


@dataclass(frozen=True, slots=True)
class _Registering:
    """One registration under way; the lock of the corpus is held."""

    home: Path
    base: Path
    descriptor: CorpusDescriptor
    classes: ItemClasses
    names: SidecarNames
    broken: broken.Broken

    def register(
        self, identities: Identities, *, threads: Threads, erased: Callable[[], Seats], progress: Progress | None
    ) -> Registration:
        sources = [
            _Source.of(path, self.base, descriptor=self.descriptor)
            for path in resolve_files(self.descriptor, self.base)
        ]
        if not sources:
            raise CorpusError("corpus-empty", "the corpus has no files", help="check `files` in the descriptor")
        bad = {each.folder: each for each in self._altered(sources, threads, progress=progress)}
        places = threads.map(lambda source: self._place(source, bad), sources)
        stale = [(source, folder) for source, (folder, there) in zip(sources, places, strict=True) if not there]
        self._check([source for source, _ in stale], threads)
        if progress is not None:
            progress.begin("reading items", total=rows_in(source.path for source, _ in stale), unit="items")
        threads.map(lambda each: self._build(*each, identities=identities, progress=progress), stale)
        found = (load(folder) for folder, _ in places)
        sidecars = tuple(kept(found, bad.values(), is_usable=self._is_usable, erased=erased))
        self._check_unique(sidecars, threads, built=[folder for _, folder in stale], progress=progress)
        corpus = Corpus(
            name=self.descriptor.name,
            base=self.base,
            descriptor=self.descriptor,
            snapshot=snapshot_digest(self.descriptor, (sidecar.pin for sidecar in sidecars)),
            sidecars=sidecars,
            items=self.classes.members,
        )
        anew = replaced(bad.values(), by={sidecar.pin: sidecar.folder for sidecar in sidecars})
        by = {source.key: sidecar.folder.name for source, sidecar in zip(sources, sidecars, strict=True)}
        stand_in = broken.stood_in_for(self.home, self.home / _SIDECARS, by=by)
        return Registration(
            corpus=corpus,
            built=len(stale),
            kept=len(sources) - len(stale),
            broken=self.broken | broken.Broken(anew.otherwise | stand_in.keys()),
            renamed={**anew.names, **stand_in},
        )

    def _altered(self, sources: Sequence[_Source], threads: Threads, *, progress: Progress | None) -> list[Altered]:
        sizes, by = {each.name: each.path.stat().st_size for each in sources}, self.descriptor.digest
        return altered(finished(self.home / _SIDECARS), descriptor=by, sizes=sizes, threads=threads, progress=progress)

    def _check(self, sources: Sequence[_Source], threads: Threads) -> None:
        """Refuse files that are not what the descriptor says, with all their mistakes, before any of them is read."""

        def mistakes(source: _Source) -> list[tuple[str, ConsentryError]]:
            try:
                check(source.path, name=source.name, descriptor=self.descriptor)
            except CorpusError as error:
                return [(source.name, each) for each in (error, *error.more)]
            return []

        raise_all(each_once([each for found in threads.map(mistakes, sources) for each in found]))

    def _check_unique(
        self, sidecars: Sequence[Sidecar], threads: Threads, *, built: Sequence[Path], progress: Progress | None
    ) -> None:
        """Raise if two items have one id, in one file or in several; what was built of these files is not kept."""
        columns = [sidecar.item for sidecar in sidecars]
        again = repeated(columns, threads=threads, progress=progress)
        if not again.size:
            return
        rows = first_rows(columns, of=again)
        for each, row in zip(sidecars, rows, strict=True):
            if row is not None and each.folder in built:
                shutil.rmtree(each.folder, ignore_errors=True)
        raise not_unique([sidecar.pin.path for sidecar in sidecars], columns, rows=rows, again=again)

    def _build(self, source: _Source, folder: Path, *, identities: Identities, progress: Progress | None) -> None:
        build(
            source.path,
            folder,
            name=source.name,
            descriptor=self.descriptor,
            identities=identities,
            classes=self.classes,
            keep_classes=lambda: self.classes.save(self.home / _CLASSES),
            progress=progress,
        )

    def commit(self, done: Registration, text: str) -> None:
        """Put the new set of files in force, and keep the one before: a release may be sealed with it until all know.

        What is kept in vain is removed by `forget_earlier`.
        """
        corpus = done.corpus
        names = [sidecar.folder.name for sidecar in corpus.sidecars]
        head = {"base": str(self.base), "descriptor": text, "sidecars": names, "snapshot": corpus.snapshot}
        before = next(heads.readable(*heads.documents(self.home)), {})
        if before.get("snapshot", corpus.snapshot) != corpus.snapshot:
            aside = heads.aside(self.home, before["snapshot"])
            aside.parent.mkdir(exist_ok=True)
            replace_file(aside, canonical_json(before))
        # Before what was lost is named no more: what follows from it is done, also if this ends here.
        broken.note(self.home, done.broken)
        heads.rename_sidecars(self.home, done.renamed)
        # COMMIT POINT of a registration.
        replace_file(self.home / heads.HEAD, canonical_json(head))

    def _place(self, source: _Source, bad: Collection[Path]) -> tuple[Path, bool]:
        """Return where the sidecar of a file is, or is to be built, and whether it is there.

        One that no head names may be there: a registration before may have been interrupted once it was built.
        """
        for name in self.names.of(source.key):
            folder = self.home / _SIDECARS / name
            if folder not in bad and self._is_usable(folder, source.name):
                return folder, True
        return self.home / _SIDECARS / self.names.free(source.key), False

    def _is_usable(self, folder: Path, name: str) -> bool:
        pin_of_classes = self.classes.pin
        return usable(folder, self.base / name, descriptor=self.descriptor.digest, pin_of_classes=pin_of_classes)


class _Source(NamedTuple):
    """A content file, its name relative to the corpus's folder, and the key of the sidecar it has as it is now."""

    path: Path
    name: str
    key: str

    @classmethod
    def of(cls, path: Path, base: Path, *, descriptor: CorpusDescriptor) -> _Source:
        name, stat = os.path.relpath(path, base), path.stat()
        key = digest_json([name, stat.st_size, str(stat.st_mtime_ns), descriptor.digest])
        return cls(path, name, key.removeprefix("sha256:")[:24])


def open_corpus(folder: Path, name: str, *, like: Corpus | None = None) -> Corpus:
    """Open a registered corpus, or return `like` if that is the corpus of this name as it is registered.

    Raises:
        NotFoundError: no corpus of this name was registered.
        ConflictError: a sidecar is gone or damaged.
        IntegrityError: what was kept of it is damaged.
    """
    home = folder / name
    for attempt in range(_OPEN_ATTEMPTS):
        head = heads.in_force(home)
        if like is not None and (like.name, like.head) == (name, head):
            return like
        try:
            return _open(home, name, head)
        except ConflictError:
            # Registered anew by another process between reading the head and the sidecars: the new head names others.
            if attempt == _OPEN_ATTEMPTS - 1 or heads.in_force(home) == head:
                raise
    raise AssertionError("the last attempt returns or raises")


def open_as_of(folder: Path, name: str, *, snapshot: Digest, like: Corpus | None = None) -> Corpus | None:
    """Open a registered corpus as it was when it had this snapshot; None if that is not kept.

    Sidecars that are open already, in `like`, the corpus at another time, are not opened again.

    Raises:
        ConflictError: a sidecar is gone or damaged.
        IntegrityError: what was kept does not say any more of what the corpus was made then.
    """
    home = folder / name
    head = heads.of_snapshot(home, snapshot)
    if head is None:
        return None
    try:
        opened = _open(home, name, head, like=like)
    except DescriptorError as error:
        raise heads.damaged(heads.aside(home, snapshot)) from error
    if opened.snapshot != snapshot:
        raise heads.damaged(heads.aside(home, snapshot))
    return opened


def forget_earlier(
    folder: Path, name: str, *, wanted: Collection[Digest] | None, made_up: broken.Broken = broken.NOTHING
) -> None:
    """Remove what is kept of snapshots before that are not `wanted`, and all sidecars that nothing names any more.

    None: nobody knows which are wanted, so all are.

    The caller answers for nobody sealing a release any more with a snapshot that is neither wanted nor in force, and
    for having looked again for whoever withdrew since what is `made_up` was damaged or lost.
    """
    home = folder / name
    with only_one(home / _LOCK):
        broken.forget(home, made_up)
        _, *earlier = heads.documents(home)
        for document in earlier:
            if wanted is not None and f"sha256:{document.stem}" not in wanted:
                document.unlink()
        kept = heads.documents(home)
        if len(list(heads.readable(*kept))) < len(kept):
            return  # one that cannot be read may be restored, and may name any sidecar
        named = heads.named_sidecars(home)
        for each in (home / _SIDECARS).iterdir():
            if each.name not in named:
                shutil.rmtree(each, ignore_errors=True)


def _open(home: Path, name: str, head: dict[str, Any], *, like: Corpus | None = None) -> Corpus:
    descriptor = parse_corpus(head["descriptor"], filename=f"{name}/corpus.toml")
    opened = {} if like is None else {sidecar.folder: sidecar for sidecar in like.sidecars}
    folders = [home / _SIDECARS / each for each in head["sidecars"]]
    sidecars = tuple(opened[each] if each in opened else load(each) for each in folders)
    classes = ItemClasses.load(home / _CLASSES)
    _check_classes(sidecars, classes)
    return Corpus(
        name=name,
        base=Path(head["base"]),
        descriptor=descriptor,
        snapshot=snapshot_digest(descriptor, (sidecar.pin for sidecar in sidecars)),
        sidecars=sidecars,
        items=classes.members,
        head=head,
    )


def seats_in_use(folder: Path) -> int:
    """Return how many seats the registered corpora know of: an index of people with fewer gives some of them twice."""
    most = 0
    for home in listed(folder):
        for name in heads.named_sidecars(home) if (home / heads.HEAD).exists() else ():
            try:
                most = max(most, seats_of_sidecar(home / _SIDECARS / name))
            except (OSError, ValueError, KeyError, TypeError) as error:
                require_room(error)  # else it has to be registered again anyway
    return most


def _check_classes(sidecars: Sequence[Sidecar], classes: ItemClasses) -> None:
    """Raise unless every code in the sidecars means what it meant when it was written."""
    for pin, sidecar in {sidecar.classes: sidecar for sidecar in sidecars}.items():
        if classes.pin(pin.count) != pin:
            raise ConflictError(
                "corpus-classes-changed",
                f"`{_CLASSES}` is not the one that the sidecar of `{sidecar.pin.path}` was built with",
                help="register the corpus again: consentry corpus register DESCRIPTOR",
            )


def snapshot_digest(descriptor: CorpusDescriptor, pins: Iterable[FilePin]) -> Digest:
    """Return the digest of descriptor and file pins."""
    return digest_json({"descriptor": descriptor.digest, "files": [asdict(pin) for pin in pins]})
