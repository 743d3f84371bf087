"""Sidecars held against the files they were made from, read once more.

Everything is decided from sidecars, so one that says something else than its file decides wrongly and agrees with
itself. A sidecar made anew shows it. People may have been erased since, whose ids lead to no seat any more, or to
another one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from consentry.corpus.difference import Seats, differing
from consentry.corpus.item_classes import ItemClasses
from consentry.corpus.registration import Corpus
from consentry.corpus.sidecar import Identities, Progress, Sidecar, load
from consentry.corpus.sidecar_build import build
from consentry.digests import digest_file
from consentry.errors import CorpusError


def recheck(
    corpus: Corpus,
    sidecar: Sidecar,
    *,
    identities: Identities,
    erased: Callable[[], Seats],
    folder: Path,
    progress: Progress | None = None,
) -> None:
    """Read the file of a sidecar again, and compare.

    A file that is gone or has other bytes now is not compared: that it changed is for others to say.

    Args:
        corpus: the corpus that has the sidecar.
        sidecar: what is checked.
        identities: turn ids into seats and keys, giving nobody a new seat.
        erased: the seats of people who were erased, asked for after the file was read.
        folder: an empty folder for the sidecar made anew; nothing of it is needed afterwards.
        progress: called with the number of items read since the last call.

    Raises:
        CorpusError: the sidecar does not say what the file says.
    """
    source = corpus.path(sidecar)
    try:
        build(
            source,
            folder / "anew",
            name=sidecar.pin.path,
            descriptor=corpus.descriptor,
            identities=identities,
            classes=ItemClasses(list(corpus.items)),
            keep_classes=lambda: None,
            progress=progress,
        )
    except (CorpusError, FileNotFoundError):
        if not source.exists() or digest_file(source) != sidecar.pin.digest:
            return
        raise
    anew = load(folder / "anew")
    wrong = differing(sidecar, anew, erased=erased()) if anew.pin == sidecar.pin else []
    if wrong:
        raise CorpusError(
            "corpus-sidecar-wrong",
            f"the sidecar of `{sidecar.pin.path}` does not say what the file says: {', '.join(wrong)}",
            help="do not use the release; find out who can write to the home, and register the corpus again",
        )
