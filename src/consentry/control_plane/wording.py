"""What members of staff write into the ledger: handles, and single lines. It is there for ever, so it is kept short."""

from __future__ import annotations

from consentry.errors import InputError
from consentry.ledger.case_events import Handle
from consentry.policy.policy_parser import IDENTIFIER

_LONGEST_TEXT = 200
_LONGEST_NAME = 100


def is_name(name: str) -> bool:
    """Say whether a case, a condition, a report, a model or a handle may be called so."""
    return len(name) <= _LONGEST_NAME and IDENTIFIER.fullmatch(name) is not None


def require_name(name: str, what: str, *, code: str) -> None:
    """Refuse what is no name of a case, a condition, a report, a job or a model.

    Raises:
        InputError: it is none.
    """
    if not is_name(name):
        raise InputError(
            code, f"`{name}` is no name of a {what}", help="use lower-case letters, digits and single hyphens"
        )


def require_handle(by: Handle) -> None:
    """Refuse what is no handle of a member of staff. A handle has one spelling, so that nobody is two people.

    Raises:
        InputError: it is none. An address of a person is none either.
    """
    if not is_name(by):
        raise InputError(
            "case-handle",
            f"`{by}` is no handle",
            help="use lower-case letters, digits and single hyphens, and nothing that says who it is to outsiders",
        )


def require_texts(**texts: str) -> None:
    """Refuse texts that are empty, or longer than a line.

    Raises:
        InputError: one of them is.
    """
    for what, text in texts.items():
        if not text.strip():
            raise InputError("case-text", f"the {what} is missing", help="say it in one line")
        if len(text) > _LONGEST_TEXT or not text.isprintable():
            raise InputError(
                "case-text",
                f"the {what} is no line of 1 to {_LONGEST_TEXT} characters",
                help="long texts belong in documents: give one as evidence, or refer to it",
            )
