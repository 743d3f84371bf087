"""What is handed out of releases, and taken back: content files with what is left out of them, and tables.

    tables/.lock            held while tables are written or removed (`table_folder.py`)
    tables/NAME/v2, v3      the Iceberg tables of a release
    tables/.NAME.removed    a table on its way out

A release that was withdrawn, or that an order bars (`hits.py`), hands out nothing. Foreign readers of its table cannot
be told so: the table is removed. The event is the COMMIT POINT. A crash after it leaves a table. That of a release that
was withdrawn is removed when the withdrawal is asked for again, or when the next table is written; that of one that an
order hits before the order is noted as drained, which a running service does by itself. After an order was withdrawn
the table can be written again; after one was lifted or narrowed, only that of a release that was not sealed before it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq

from consentry.control_plane.archive import Archive
from consentry.control_plane.barred import barred
from consentry.control_plane.desk import Desk
from consentry.control_plane.hits import Hits
from consentry.control_plane.removals import Removals
from consentry.control_plane.table_folder import holding
from consentry.durable import take_name
from consentry.errors import ConsentryError, StateError
from consentry.ledger.state import Sealed
from consentry.progress import Progress
from consentry.release import builder
from consentry.release.amendment import joined, number_of
from consentry.release.data_file import DataFile
from consentry.release.iceberg import METADATA_NAME, TableReport, write_table
from consentry.release.iceberg_schema import FormatVersion, united

VERSIONS: tuple[FormatVersion, ...] = (2, 3)

_AMENDMENT = "consentry.amendment"
"""The property of a table that says up to which amendment it leaves rows out."""


class Handouts:
    """What readers get of releases. It hands out what is amended as far as it was read: `amendments` comes first."""

    def __init__(self, desk: Desk, *, archive: Archive, removals: Removals, hits: Hits) -> None:
        self.desk = desk
        self.archive = archive
        self.removals = removals
        self.hits = hits

    def files(self, name: str) -> list[DataFile]:
        """Return the content files of a release with what is left out of each, by the amendments that are known.

        Raises:
            StateError: the release was withdrawn, or an order bars it (`release-suspended`, `release-old-terms`).
            IntegrityError: a content file is not the one the release was made from.
        """
        withdrawn = self.archive.sealed_as(name).withdrawn
        if withdrawn is not None:
            raise StateError(
                "release-withdrawn",
                f"release `{name}` was withdrawn: `{withdrawn.reason}`",
                help=f"read another one; when that was: consentry release show {name}",
            )
        order = self.hits.barring(name)
        if order is not None:
            raise barred(order, name)
        release = self.archive.open(name)
        removed = self.removals.removed(self.desk.newest.amendments.newest(name))
        files = release.data_files(self.archive.unchanged(release).base)
        return [
            replace(file, excluded=joined(file.excluded, removed[index])) if index in removed else file
            for index, file in enumerate(files)
        ]

    def write(self, name: str, version: FormatVersion, *, progress: Progress | None = None) -> TableReport:
        """Write a release as an Iceberg table over the untouched files. Written again, it has the same bytes."""
        with holding(self.desk.tables):
            self._sweep()
            # Asked with the lock held: who withdraws the release after this waits, and then removes the table.
            return self._write(name, version, progress=progress)

    def _write(self, name: str, format_version: FormatVersion, *, progress: Progress | None) -> TableReport:
        files = self.files(name)
        manifest = self.archive.open(name).manifest
        number = number_of(self.desk.newest.amendments.newest(name))
        folder = self.desk.tables / name / f"v{format_version}"
        before = folder.with_name(f".{folder.name}.before")
        shutil.rmtree(before, ignore_errors=True)
        if folder.exists():
            folder.rename(before)
        try:
            report = write_table(
                folder,
                files,
                progress=progress,
                schema=united(pq.read_schema(each.path) for each in files),
                format_version=format_version,
                release=name,
                sealed_at=manifest.decided_at,
                properties={
                    "consentry.release": name,
                    "consentry.manifest": builder.manifest_digest(manifest),
                    **({_AMENDMENT: str(number)} if number else {}),
                },
            )
        except BaseException:
            if before.exists() and not folder.exists():
                before.rename(folder)
            raise
        shutil.rmtree(before, ignore_errors=True)
        return report

    def write_anew(self, names: Iterable[str]) -> None:
        """Write the tables of amended releases anew; one that cannot be written is removed.

        Raises:
            OSError: nor can one be removed. All the others are looked at before.
        """
        behind = [(name, version) for name in names for version in VERSIONS if self._is_behind(name, version)]
        if not behind:
            return
        left: OSError | None = None
        with holding(self.desk.tables), self.desk.parts.watching() as progress:
            for name, version in behind:
                try:
                    self._write_or_remove(name, version, progress=progress)
                except OSError as error:
                    left = error
        if left is not None:
            raise left

    def _write_or_remove(self, name: str, version: FormatVersion, *, progress: Progress | None) -> None:
        if not self._is_behind(name, version):
            return
        try:
            self._write(name, version, progress=progress)
        except (ConsentryError, OSError):
            # Its readers ask nobody: what they must not see any more is gone, even if the rest is as well.
            _remove(self.desk.tables / name / f"v{version}")

    def take_back(self, names: Iterable[str]) -> None:
        """Remove the tables of releases of which nobody can tell what has to leave them."""
        those = [folder for name in names if (folder := self.desk.tables / name).exists()]
        if those:
            with holding(self.desk.tables):
                for folder in those:
                    _remove(folder)

    def _is_behind(self, name: str, version: FormatVersion) -> bool:
        number, folder = number_of(self.desk.newest.amendments.newest(name)), self.desk.tables / name / f"v{version}"
        if folder.with_name(f".{folder.name}.before").exists():
            # Who wrote it anew was killed in between, or is at it: then the lock is waited for.
            return True
        try:
            written = json.loads((folder / "metadata" / METADATA_NAME).read_bytes())
            return int(written["properties"].get(_AMENDMENT, "0")) < number
        except FileNotFoundError:
            return False
        except (ValueError, KeyError, TypeError, AttributeError):
            return True

    def remove(self) -> None:
        """Remove the tables nobody may read."""
        if self.desk.tables.exists():
            with holding(self.desk.tables):
                self._sweep()

    def _sweep(self) -> None:
        """Remove the tables nobody may read. Who reads one finds it whole, or gone: a crash leaves no part."""
        for name, release in self.archive.sealed().items():
            if self._readable(name, release):
                continue
            _remove(self.desk.tables / name)

    def _readable(self, name: str, release: Sealed) -> bool:
        if release.withdrawn is not None:
            return False
        # What an order hits takes time to find out: asked only where there is something to remove.
        return not (self.desk.tables / name).exists() or self.hits.barring(name) is None


def _remove(folder: Path) -> None:
    leaving = folder.with_name(f".{folder.name}.removed")
    shutil.rmtree(leaving, ignore_errors=True)
    if folder.exists():
        take_name(folder, leaving)
        shutil.rmtree(leaving)
