"""The rows of a dump file, read as a stream: memory does not grow with the file.

A dump file is `<posts><row Id="1" .../>...</posts>`: everything is in attributes. It carries no document type, so one
that does is refused: without one there are no entities to expand, nested or external.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat

from consentry.errors import CorpusError

_CHUNK_BYTES = 1 << 16
_MAX_ROW_BYTES = 64 << 20
_NUMBER = re.compile("-?[0-9]{1,19}")
_BEYOND = 1 << 63


def whole(text: str) -> int | None:
    """Read a whole number of 64 bits; None if it is none."""
    if _NUMBER.fullmatch(text) is None or not -_BEYOND <= (found := int(text)) < _BEYOND:
        return None
    return found


class Row(dict[str, str]):
    """The attributes of one `<row>`, and where it stands."""

    __slots__ = ("where",)

    def __init__(self, attributes: Mapping[str, str], where: str) -> None:
        super().__init__(attributes)
        self.where = where

    def text(self, name: str) -> str:
        """Return an attribute that every row must have."""
        if name not in self:
            raise CorpusError(
                "corpus-missing-attribute",
                f"a row has no `{name}`",
                help="the file is not from a data dump, or was changed after; take it from the dump again",
                where=self.where,
            )
        return self[name]

    def number(self, name: str) -> int | None:
        """Return a whole number of 64 bits, None if the row has none of this name."""
        if name not in self:
            return None
        found = whole(self[name])
        if found is None:
            self._bad(name, "a whole number of up to 64 bits")
        return found

    def id(self, name: str) -> int:
        """Return a whole number that every row must have."""
        self.text(name)
        return self.number(name) or 0

    def time(self, name: str) -> datetime:
        """Return a time that every row must have; the dump's times are in UTC."""
        try:
            moment = datetime.fromisoformat(self.text(name))
        except ValueError:
            self._bad(name, "a time")
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment

    def _bad(self, name: str, wanted: str) -> NoReturn:
        raise CorpusError(
            "corpus-bad-attribute",
            f"`{self[name]}` in `{name}` is not {wanted}",
            help="the file is not from a data dump, or was changed after; take it from the dump again",
            where=self.where,
        )


def read_rows(path: Path, *, root: str) -> Iterator[Row]:
    """Yield the rows of a dump file, a chunk of the file at a time.

    Raises:
        CorpusError: not XML, cut short, another file than expected, a document type, or a row beyond 64 MiB.
    """
    reader = _Reader(path, root)
    waiting = 0
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            reader.feed(chunk, last=False)
            waiting = 0 if reader.found else waiting + len(chunk)
            if waiting > _MAX_ROW_BYTES:
                raise reader.error("corpus-bad-xml", "a row is larger than 64 MiB")
            yield from reader.take()
        reader.feed(b"", last=True)
    yield from reader.take()


class _Reader:
    """An XML parser that collects rows; owned by one `read_rows`."""

    def __init__(self, path: Path, root: str) -> None:
        self.found: list[Row] = []
        self._path = path
        self._root: str | None = None
        self._wanted = root
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.StartDoctypeDeclHandler = self._doctype

    def feed(self, chunk: bytes, *, last: bool) -> None:
        try:
            self._parser.Parse(chunk, last)
        except expat.ExpatError as error:
            reason = expat.ErrorString(error.code)
            raise self.error(
                "corpus-bad-xml", f"this is not XML from byte {self._parser.ErrorByteIndex:,} on: {reason}"
            ) from error

    def take(self) -> list[Row]:
        found, self.found = self.found, []
        return found

    def error(self, code: str, message: str) -> CorpusError:
        return CorpusError(
            code,
            message,
            help="the file is damaged, cut short or of another kind; take it from the dump again",
            where=f"{self._path}:{self._parser.CurrentLineNumber}",
        )

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if self._root is None:
            self._root = name
            if name != self._wanted:
                raise self.error("corpus-bad-xml", f"the root is `{name}` and not `{self._wanted}`")
        elif name == "row":
            self.found.append(Row(attributes, f"{self._path}:{self._parser.CurrentLineNumber}"))

    def _doctype(self, *_: object) -> None:
        raise self.error("corpus-bad-xml", "there is a document type, which no data dump has")
