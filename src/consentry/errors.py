"""Every error Consentry raises, in one tree.

    ConsentryError
    ├── InputError          what was given is wrong; nothing was changed
    │   ├── PolicyError         a policy file
    │   ├── DescriptorError     a corpus or people descriptor
    │   ├── CorpusError         the content files themselves
    │   ├── PeopleError         the people table
    │   └── ChoiceError         a choice, a notice, a link between accounts
    ├── StateError          the request is sound, but not possible now
    │   ├── NotFoundError       no such thing in this deployment
    │   ├── ConflictError       something else was first; read again and retry
    │   ├── UnavailableError    a store does not answer (transient: retry later)
    │   └── LeaseOverError      a job may not go on: its lease is over, for ever
    ├── IntegrityError      bytes are not the bytes that were recorded
    └── MissingExtraError   an optional part is not installed

A message is lower case without a full stop, with the user's input in backticks. `code` is stable and documented in
docs/errors.md; `help` says what to do next; `where` names the file and line when there is one. `more` are further
mistakes in what was given, so that nobody has to mend one to hear of the next.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, ClassVar


class ConsentryError(Exception):
    """Base of all errors; carries a stable `code`, a `help` line and, when known, `where` (file:line)."""

    transient: ClassVar[bool] = False

    def __init__(self, code: str, message: str, *, help: str, where: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.help = help
        self.where = where
        self.more: tuple[ConsentryError, ...] = ()
        self.add_note(f"help: {help}")  # a traceback shows it

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.message} [{self.code}]"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle what it is, not how it is made: subclasses are made of other things."""
        return _unmade, (type(self), self.args), self.__dict__

    def to_json(self) -> dict[str, Any]:
        """Return the error as an object, for `--json` and the API; further mistakes only where there are some."""
        body: dict[str, Any] = {"code": self.code, "message": self.message, "help": self.help}
        if self.where is not None:
            body["where"] = self.where
        if self.more:
            body["more"] = [each.to_json() for each in self.more]
        return body


def _unmade(kind: type[ConsentryError], words: tuple[Any, ...]) -> ConsentryError:
    return kind.__new__(kind, *words)


class InputError(ConsentryError):
    """What was given is wrong; nothing was changed."""


class PolicyError(InputError):
    """A policy file cannot be used."""


class DescriptorError(InputError):
    """A corpus or people descriptor cannot be used."""


class CorpusError(InputError):
    """A content file cannot be used."""


class PeopleError(InputError):
    """A people table cannot be used."""


class ChoiceError(InputError):
    """A choice, a notice or a link between accounts cannot be recorded."""


class StateError(ConsentryError):
    """The request is sound, but not possible now."""


class NotFoundError(StateError):
    """No such thing in this deployment."""


class ConflictError(StateError):
    """Something else was first; read again and retry."""


class UnavailableError(StateError):
    """A store does not answer; retry later."""

    transient: ClassVar[bool] = True


class LeaseOverError(StateError):
    """A job may not go on: its lease is over, for ever. A new one has to be granted."""


class IntegrityError(ConsentryError):
    """Bytes are not the bytes that were recorded."""


class MissingExtraError(ConsentryError):
    """An optional part is not installed."""


def raise_all(mistakes: Sequence[ConsentryError]) -> None:
    """Raise the first of some mistakes, which has the others with it; nothing if there are none."""
    if mistakes:
        first, *rest = mistakes
        first.more = tuple(rest)
        raise first


def names_there_are(names: Collection[str], label: str = "known", *, otherwise: str) -> str:
    """Return the help of an error about a name that nobody knows: those there are, or what to do if there are none."""
    return f"{label}: {', '.join(names)}" if names else otherwise
