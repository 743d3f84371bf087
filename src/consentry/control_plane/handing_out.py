"""Handing releases out to those who read them, and ending that: data files, copies, tables, withdrawals.

    tables/.lock            held while tables are written or removed
    tables/NAME/v2, v3      the Iceberg tables of a release
    tables/.NAME.removed    a table on its way out

A release that was withdrawn, or that an order in force hits, hands out nothing. Foreign readers of its table cannot be
told so: the table is removed. The event is the COMMIT POINT. A crash after it leaves a table; it is removed when the
withdrawal or the next order is asked for, or when the next table is written, of whatever release. After an order has
ended the table can be written again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from consentry.control_plane import newest_word
from consentry.control_plane.overseeing import Overseeing
from consentry.control_plane.wording import require_texts
from consentry.corpus.registration import Corpus, open_corpus
from consentry.durable import only_one, take_name
from consentry.errors import ConsentryError, InputError, StateError
from consentry.ledger.case_events import Handle
from consentry.ledger.events import Body, ReleaseWithdrawn
from consentry.ledger.oversight_events import Origin
from consentry.ledger.state import Sealed
from consentry.oversight.order import Order, Scope
from consentry.progress import Progress
from consentry.release import builder, materialise, sealed
from consentry.release.amendment import joined, number_of
from consentry.release.data_file import DataFile
from consentry.release.iceberg import METADATA_NAME, TableReport, write_table
from consentry.release.iceberg_schema import FormatVersion
from consentry.release.materialise import CopyFormat
from consentry.release.reproduce import check_registered

VERSIONS: tuple[FormatVersion, ...] = (2, 3)
_AMENDMENT = "consentry.amendment"
"""The property of a table that says up to which amendment it leaves rows out."""


class HandingOut(Overseeing):
    """Verbs that hand content out, and those that end it."""

    @property
    def tables(self) -> Path:
        """The folder of the Iceberg tables."""
        return self.parts.home / "tables"

    def data_files(self, name: str) -> list[DataFile]:
        """Return the content files of a release with what is left out of each: what every reader begins with.

        Left out is what the seal leaves out, and what left it since: amendments are brought up to date first.

        Raises:
            StateError: the release was withdrawn, or an order in force hits it.
            IntegrityError: a content file is not the one the release was made from.
        """
        if self.sealed_as(name).withdrawn is None:
            self.amendment(name)
        return self._files(name)

    def _files(self, name: str) -> list[DataFile]:
        withdrawn = self.sealed_as(name).withdrawn
        if withdrawn is not None:
            raise StateError(
                "release-withdrawn",
                f"release `{name}` was withdrawn: `{withdrawn.reason}`",
                help=f"read another one; when that was: consentry release show {name}",
            )
        order = self.suspended_by(name)
        if order is not None:
            raise StateError(
                "release-suspended",
                f"release `{name}` holds what order `{order.order}` suspends ({order.reference})",
                help="build a release now: it leaves out what is suspended",
            )
        release = self.release(name)
        removed = self.removed(self.newest.amendments.newest(name))
        files = release.data_files(self._unchanged(release).base)
        return [
            replace(file, excluded=joined(file.excluded, removed[index])) if index in removed else file
            for index, file in enumerate(files)
        ]

    def suspend(
        self,
        scope: Scope,
        *,
        case: str,
        origin: Origin,
        reference: str,
        by: Handle | None = None,
        along: Callable[[str], Sequence[Body]] | None = None,
    ) -> Order:
        """Put an order in force, remove the tables of the releases that it hits, and return it.

        Raises:
            PolicyError: an area or a model that is not known here.
            InputError: a window in which nothing can be created, or no name for the case.
        """
        order = super().suspend(scope, case=case, origin=origin, reference=reference, by=by, along=along)
        self._remove_tables()
        return order

    def materialise(
        self, name: str, target: Path, *, kind: CopyFormat, progress: Progress | None = None
    ) -> materialise.CopyReport:
        """Write a filtered copy of a release."""
        files = self.data_files(name)
        if progress is not None:
            noted = self.newest.amendments.newest(name)
            eligible = self.release(name).manifest.eligible - (0 if noted is None else noted.items)
            progress.begin("copying", total=eligible, unit="items")
        # Asked again at the end: a copy takes long, and an order may have come meanwhile.
        return materialise.materialise(
            files, target, format=kind, progress=progress, before_it_appears=lambda: self._files(name)
        )

    def table(self, name: str, format_version: FormatVersion) -> dict[str, Any]:
        """Write a release as an Iceberg table over the untouched files. Written again, it has the same bytes."""
        # Before the lock is taken: it makes tables of amended releases anew.
        self.data_files(name)
        with self._holding_tables():
            self._sweep_tables()
            # Asked with the lock held: who withdraws the release after this waits, and then removes the table.
            report = self._write_table(name, format_version)
        return {"metadata": str(report.metadata), "rows": report.rows, "excluded": report.excluded}

    def _write_table(self, name: str, format_version: FormatVersion) -> TableReport:
        files = self._files(name)
        manifest = self.release(name).manifest
        number = number_of(self.newest.amendments.newest(name))
        folder = self.tables / name / f"v{format_version}"
        before = folder.with_name(f".{folder.name}.before")
        shutil.rmtree(before, ignore_errors=True)
        if folder.exists():
            folder.rename(before)
        try:
            report = write_table(
                folder,
                files,
                schema=pq.read_schema(files[0].path),
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

    def _handed_out_anew(self, names: Iterable[str]) -> None:
        """Write the tables of amended releases anew; one that cannot be written is removed."""
        behind = [(name, version) for name in names for version in VERSIONS if self._is_behind(name, version)]
        if not behind:
            return
        with self._holding_tables():
            for name, version in behind:
                if not self._is_behind(name, version):
                    continue
                try:
                    self._write_table(name, version)
                except (ConsentryError, OSError):
                    # Its readers ask nobody: what they must not see any more is gone, even if the rest is as well.
                    shutil.rmtree(self.tables / name / f"v{version}", ignore_errors=True)

    def _is_behind(self, name: str, version: FormatVersion) -> bool:
        number, folder = number_of(self.newest.amendments.newest(name)), self.tables / name / f"v{version}"
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

    def withdraw(self, name: str, reason: str) -> int:
        """Say that a sealed release may no longer be read, for good, and remove its tables. Return the position.

        Raises:
            InputError: no reason is given.
            NotFoundError: there is no such release.
            StateError: it was withdrawn before. What is left of its tables is removed all the same.
        """
        if not reason.strip():
            raise InputError(
                "release-reason-missing",
                "a release is withdrawn for a reason, and none was given",
                help="say why in a few words, without personal data: they stay in the ledger",
            )
        require_texts(reason=reason)
        self.sealed_as(name)
        with self.lock, self.parts.ledger.sealing() as session:
            # The head is held: of two who withdraw a release at a time, one comes first and the other one is told.
            self.newest.advance(session.read_delta(self.newest.position))
            before = self.newest.state.releases[name].withdrawn
            if before is None:
                (position,) = session.append([ReleaseWithdrawn(release=name, reason=reason)])
        if before is None:
            newest_word.write_down(self.parts.home, self.parts.ledger, position=position)
        self._remove_tables()
        if before is not None:
            raise StateError(
                "release-already-withdrawn",
                f"release `{name}` was withdrawn before, at position {before.position}: `{before.reason}`",
                help="nothing is left to do: nobody is given anything of it any more",
            )
        return position

    @contextmanager
    def _holding_tables(self) -> Iterator[None]:
        """Keep others from writing or removing tables."""
        self.tables.mkdir(parents=True, exist_ok=True)
        with only_one(self.tables / ".lock"):
            yield

    def _remove_tables(self) -> None:
        if self.tables.exists():
            with self._holding_tables():
                self._sweep_tables()

    def _sweep_tables(self) -> None:
        """Remove the tables nobody may read. Who reads one finds it whole, or gone: a crash leaves no part."""
        for name, release in self.sealed_releases().items():
            if self._readable(name, release):
                continue
            leaving = self.tables / f".{name}.removed"
            shutil.rmtree(leaving, ignore_errors=True)
            if (self.tables / name).exists():
                take_name(self.tables / name, leaving)
                shutil.rmtree(leaving)

    def _readable(self, name: str, release: Sealed) -> bool:
        if release.withdrawn is not None:
            return False
        # What an order hits takes time to find out: asked only where there is something to remove.
        return not (self.tables / name).exists() or self.suspended_by(name) is None

    def _unchanged(self, release: sealed.SealedRelease) -> Corpus:
        """Return the corpus of a release, whose files are those it was made from."""
        corpus = open_corpus(self.corpora, release.manifest.corpus)
        check_registered(release.manifest, corpus)
        return corpus
