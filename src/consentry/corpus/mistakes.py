"""What is wrong with files, said once, however many files it is wrong with."""

from __future__ import annotations

from collections.abc import Sequence

from consentry.errors import ConsentryError, CorpusError


def each_once(mistakes: Sequence[tuple[str, ConsentryError]]) -> list[ConsentryError]:
    """Return mistakes in files, each once, with how many files it is in."""
    same: dict[tuple[str, str], list[tuple[str, ConsentryError]]] = {}
    for name, each in mistakes:
        same.setdefault((each.code, each.message.replace(name, "")), []).append((name, each))
    return [_in_several(*first, others=len(rest)) for first, *rest in same.values()]


def _in_several(name: str, mistake: ConsentryError, *, others: int) -> ConsentryError:
    if not others:
        return mistake
    named = "1 more file" if others == 1 else f"{others:,} more files"
    return CorpusError(mistake.code, mistake.message, help=mistake.help, where=f"{name} and {named}")
