"""A sealed release, read back and checked.

Steps of a full check (`verify`); each names what it found wrong:

1. The manifest's digest is the one the ledger keeps, and its envelope holds the same bytes under a valid signature.
2. `exclusions.bin` and `tallies.json` have the digests in the manifest, and every bitmap its own.
3. Every bitmap is well framed, names only rows the file has, and as many as the manifest says.
4. The counts add up to the number of items, eligible and not.
5. Every content file has the size, the number of rows and the digest it is pinned to.

Not here: deciding everything again (`release verify --decide`), which needs the ledger at the release's position.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from mmap import ACCESS_READ, mmap
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
from pyroaring import BitMap64

from consentry.digests import Digest, digest, digest_file
from consentry.errors import ConsentryError, IntegrityError, MissingExtraError, NotFoundError, UnavailableError
from consentry.release import tallies
from consentry.release.data_file import DataFile
from consentry.release.deletion_vector import VECTOR, unframe
from consentry.release.manifest import (
    ENVELOPE,
    EXCLUSIONS,
    MANIFEST,
    TALLIES,
    Manifest,
    ReleaseFile,
    open_envelope,
    pre_authentication,
)
from consentry.release.roaring_lookup import holds

Progress = Callable[[int], None]
CheckSignature = Callable[[str, bytes, bytes], bool]
"""Key id, signature, content: whether the signature is valid and the key one of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedRelease:
    """A release folder whose manifest is the one the ledger keeps."""

    folder: Path
    manifest: Manifest

    def bitmap(self, file: ReleaseFile) -> bytes:
        """Return the excluded positions of a file: a portable 64-bit roaring bitmap, checked.

        Raises:
            IntegrityError: the bytes are not those that were sealed.
        """
        try:
            with (self.folder / EXCLUSIONS).open("rb") as stream:
                stream.seek(file.bitmap.offset)
                framed = stream.read(file.bitmap.length)
        except FileNotFoundError as error:
            raise _damaged(f"`{EXCLUSIONS}` is missing from the release folder") from error
        if digest(framed) != file.bitmap.digest:
            raise _damaged(f"the bitmap of `{file.pin.path}` is not the one that was sealed")
        return unframe(framed)

    def rows_left_out(self, index: int) -> BitMap64:
        """Return the excluded positions of a file, by its number.

        Raises:
            IntegrityError: the bytes are not those that were sealed.
        """
        file = self.manifest.files[index]
        return BitMap64.deserialize(self.bitmap(file)) if file.bitmap.cardinality else BitMap64()

    def data_files(self, base: Path) -> list[DataFile]:
        """Return the content files under `base` with what is left out of each."""
        return [self.data_file(file, base) for file in self.manifest.files]

    def data_file(self, file: ReleaseFile, base: Path) -> DataFile:
        """Return one content file under `base` with what is left out of it."""
        return DataFile(
            path=base / file.pin.path,
            size=file.pin.size,
            rows=file.pin.rows,
            excluded=self.bitmap(file) if file.bitmap.cardinality else b"",
            digest=file.pin.digest,
        )

    def left_out(self, wanted: Mapping[int, npt.NDArray[np.int64]]) -> dict[int, npt.NDArray[np.bool_]]:
        """Say for some rows of some files (by their number) which are left out, without reading whole bitmaps.

        What is not read is not checked: who must be sure reads the `bitmap` first.
        """
        try:
            with (self.folder / EXCLUSIONS).open("rb") as stream:
                content = mmap(stream.fileno(), 0, access=ACCESS_READ) if self._excludes_any() else b""
        except (FileNotFoundError, ValueError) as error:
            raise _damaged(f"`{EXCLUSIONS}` is missing from the release folder, or empty") from error
        found = {}
        for number, rows in wanted.items():
            place = self.manifest.files[number].bitmap
            vector = memoryview(content)[place.offset : place.offset + place.length][VECTOR]
            found[number] = holds(vector, rows) if place.cardinality else np.zeros(rows.size, dtype=np.bool_)
        return found

    def _excludes_any(self) -> bool:
        return any(file.bitmap.length for file in self.manifest.files)

    def tally(self) -> tallies.Tallies:
        """Return the counts by kind of item and outcome."""
        content = self.read(TALLIES)
        if digest(content) != self.manifest.tallies:
            raise _damaged("the tallies are not those that were sealed")
        return tallies.Tallies.from_json(json.loads(content))

    def read(self, name: str) -> bytes:
        """Return the bytes of one of the release's documents, unchecked."""
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError as error:
            raise _damaged(f"`{name}` is missing from the release folder") from error

    def excludes(self, file: ReleaseFile, row: int) -> bool:
        """Say whether a row of a file is left out."""
        return row in BitMap64.deserialize(self.bitmap(file))


def open_release(folder: Path, *, expected: Digest) -> SealedRelease:
    """Open a release folder.

    Raises:
        NotFoundError: the folder is gone.
        IntegrityError: its manifest is not the one the ledger keeps.
    """
    try:
        content = (folder / MANIFEST).read_bytes()
    except FileNotFoundError as error:
        raise NotFoundError(
            "release-folder-missing",
            f"the folder of release `{folder.name}` is gone",
            help="restore it from a backup; the ledger still has its digest",
        ) from error
    if digest(content) != expected:
        raise _damaged("the manifest is not the one the ledger keeps")
    return SealedRelease(folder=folder, manifest=Manifest.from_bytes(content))


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was checked; `problem` is empty if it is in order."""

    check: str
    problem: str = ""
    code: str = ""

    @classmethod
    def of(cls, check: str, error: ConsentryError) -> Finding:
        """Return what an error says about what was checked.

        Raises:
            ConsentryError: a part is missing or does not answer: nothing was found out.
        """
        if isinstance(error, UnavailableError | MissingExtraError):
            raise error
        return cls(check=check, problem=error.message, code=error.code)


def verify(
    release: SealedRelease, base: Path, *, check_signature: CheckSignature, progress: Progress | None = None
) -> Iterator[Finding]:
    """Check everything about a release that its folder and the content files can show.

    Args:
        release: the opened release; its manifest is known to be the ledger's.
        base: the folder of the content files.
        check_signature: knows the deployment's public keys.
        progress: called with the number of bytes read since the last call.
    """
    yield Finding(check="manifest")
    yield _try("signature", lambda: _check_envelope(release, check_signature))
    yield _try("tallies", lambda: _check_counts(release))
    yield _try("bitmaps", lambda: _check_length(release))
    for file in release.manifest.files:
        yield _try(f"bitmap {file.pin.path}", partial(_check_bitmap, release, file))
    for file in release.manifest.files:
        yield _try(f"file {file.pin.path}", partial(_check_file, base, file, progress))


def _try(check: str, work: Callable[[], None]) -> Finding:
    try:
        work()
    except ConsentryError as error:
        return Finding.of(check, error)
    return Finding(check=check)


def _check_envelope(release: SealedRelease, check_signature: CheckSignature) -> None:
    payload, key_id, signature = open_envelope(release.read(ENVELOPE))
    if payload != release.manifest.to_bytes():
        raise _damaged("the signed envelope holds another manifest")
    if not check_signature(key_id, signature, pre_authentication(payload)):
        raise _damaged("the signature is not by a key of this deployment")


def _check_counts(release: SealedRelease) -> None:
    tally = release.tally()
    items, eligible = release.manifest.items, release.manifest.eligible
    if (tally.total, tally.eligible) != (items, eligible):
        raise _damaged("the counts do not add up to the items of the files")
    if tallies.summary(tally) != release.manifest.counts:
        raise _damaged("the counts in the manifest are not those of the tallies")


def _check_length(release: SealedRelease) -> None:
    expected = sum(file.bitmap.length for file in release.manifest.files)
    found = len(release.read(EXCLUSIONS))
    if found != expected:
        raise _damaged(f"`{EXCLUSIONS}` has {found:,} bytes, not {expected:,}")


def _check_bitmap(release: SealedRelease, file: ReleaseFile) -> None:
    bitmap = BitMap64.deserialize(release.bitmap(file))
    if len(bitmap) != file.bitmap.cardinality:
        counted = f"{len(bitmap):,}, not {file.bitmap.cardinality:,}"
        raise _damaged(f"the number of positions in the bitmap of `{file.pin.path}` is {counted}")
    if len(bitmap) and bitmap.max() >= file.pin.rows:
        raise _damaged(f"the bitmap of `{file.pin.path}` names rows that the file does not have")


def _check_file(base: Path, file: ReleaseFile, progress: Progress | None) -> None:
    path = base / file.pin.path
    try:
        size = path.stat().st_size
    except FileNotFoundError as error:
        raise changed(file, "is gone") from error
    if size != file.pin.size or digest_file(path, progress=progress) != file.pin.digest:
        raise changed(file, "has other bytes than the release was made from")
    if pq.read_metadata(path).num_rows != file.pin.rows:
        raise changed(file, "has another number of rows")


def _damaged(message: str) -> IntegrityError:
    return IntegrityError(
        "release-damaged", message, help="do not use this release; restore its folder from a copy, or build it again"
    )


def changed(file: ReleaseFile, what: str) -> IntegrityError:
    """Return the error for a content file that is not the one a release was made from."""
    return IntegrityError(
        "release-file-changed",
        f"`{file.pin.path}` {what}",
        help="positions mean nothing in other bytes: restore the file, or register the corpus again and build anew",
    )
