"""The pseudonyms of all people on disk, in ordinal order.

| file | what |
|---|---|
| `pseudonyms.bin` | 16 bytes a person: the two words of the pseudonym, little-endian |
| `index.json` | the head: how many of them count, and their CRC-32; replaced atomically |
| `lock` | locked by the process that writes |

New pseudonyms are written and synced before the head that counts them. Killed in between, the bytes beyond the head's
count are a torn tail: nobody reads them, and the next writer overwrites them.

Erasure overwrites in place, so the head names the ordinals before the first byte changes. Whoever finds such a head
finishes the erasure before anything else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from json import JSONDecodeError, loads
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from consentry.digests import canonical_json, digest_json
from consentry.durable import flush, only_one, replace_file
from consentry.errors import IntegrityError

PSEUDONYM_BYTES = 16
_FORMAT = 1


class Head(NamedTuple):
    """What counts. `erasures` is the number of erasures so far, `erasing` the ordinals of the one under way.

    `marked` says that the list of the erased was marked before the newest of them (`consentry.corpus.population`).
    """

    people: int = 0
    checksum: int = 0
    erasures: int = 0
    erasing: tuple[int, ...] = ()
    marked: bool = False


class PseudonymFile:
    """Reads and writes the files in one folder. What changes them needs `exclusive`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._content = folder / "pseudonyms.bin"
        self._head = folder / "index.json"

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep other processes from writing."""
        with only_one(self._folder / "lock"):
            yield

    def head(self) -> Head:
        """Return the newest durable head.

        Raises:
            IntegrityError: the file is not what was written.
        """
        try:
            body = loads(self._head.read_bytes())
            check = body.pop("check")
            head = Head(
                body["people"],
                body["checksum"],
                body["erasures"],
                tuple(body["erasing"]),
                body.get("marked") is True,
            )
        except FileNotFoundError:
            return Head()
        except (JSONDecodeError, UnicodeDecodeError, AttributeError, KeyError, TypeError) as error:
            raise _damaged(f"`{self._head}` cannot be read") from error
        if check != digest_json(body):
            raise _damaged(f"`{self._head}` does not have the digest it states")
        if body["format"] != _FORMAT:
            raise IntegrityError(
                "people-index-format",
                f"`{self._head}` has format {body['format']}, this version reads {_FORMAT}",
                help="use the version of consentry that wrote it, or a newer one",
            )
        return head

    def read(self, known: Head, head: Head) -> bytes:
        """Return the pseudonyms that `head` counts and `known` (an older head with the same erasures) does not.

        Raises:
            IntegrityError: bytes are missing or changed.
        """
        size = (head.people - known.people) * PSEUDONYM_BYTES
        content = b""
        if size:
            try:
                with self._content.open("rb") as stream:
                    stream.seek(known.people * PSEUDONYM_BYTES)
                    content = stream.read(size)
            except FileNotFoundError as error:
                raise _damaged(f"`{self._content}` is gone") from error
        if len(content) != size:
            raise _damaged(f"`{self._content}` is {size - len(content):,} bytes short")
        # While an erasure is under way some pseudonyms may be overwritten already.
        if not head.erasing and crc32(content, known.checksum) != head.checksum:
            raise _damaged(f"`{self._content}` does not have the checksum that was recorded")
        return content

    def append(self, head: Head, content: bytes) -> Head:
        """Add pseudonyms durably and return the new head. If this raises, `head` still stands."""
        with self._content.open("r+b" if self._content.exists() else "w+b") as stream:
            stream.seek(head.people * PSEUDONYM_BYTES)
            stream.write(content)
            stream.truncate()
            flush(stream)
        people = head.people + len(content) // PSEUDONYM_BYTES
        return self._replace(head._replace(people=people, checksum=crc32(content, head.checksum)))

    def begin_erasure(self, head: Head, ordinals: Sequence[int]) -> Head:
        """Record durably that these people are about to be erased, and stand in a list that is marked."""
        return self._replace(head._replace(erasing=tuple(ordinals), marked=True))

    def overwrite(self, head: Head, noise: Sequence[bytes]) -> None:
        """Overwrite the pseudonyms of those being erased, durably."""
        with self._content.open("r+b") as stream:
            for ordinal, part in zip(head.erasing, noise, strict=True):
                stream.seek(ordinal * PSEUDONYM_BYTES)
                stream.write(part)
            flush(stream)

    def end_erasure(self, head: Head, *, checksum: int) -> Head:
        """Record durably that the erasure under way is done; `checksum` is that of all pseudonyms."""
        return self._replace(head._replace(checksum=checksum, erasures=head.erasures + 1, erasing=()))

    def _replace(self, head: Head) -> Head:
        body = {"format": _FORMAT, **head._asdict()}
        replace_file(self._head, canonical_json({**body, "check": digest_json(body)}))
        return head


def _damaged(message: str) -> IntegrityError:
    return IntegrityError(
        "people-index-damaged",
        message,
        help="restore the folder `people/` from a backup; in another order, people would be taken for each other",
    )
