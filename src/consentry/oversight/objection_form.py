"""The form for objections, as data: whoever serves it shows these steps and fields, and a check counts the same ones.

A field is named, asked for in one line, and required or not. What is written into it is not judged: a link, a name, an
address of any kind. `most` is how many characters are kept.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One thing the form asks for."""

    name: str
    asks: str
    required: bool
    most: int
    lines: bool = False
    """Whether it may hold several lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FormStep:
    """What is asked on one page."""

    title: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A form as it is served. `version` is recorded with every objection that comes by it."""

    version: int
    steps: tuple[FormStep, ...]
    login: bool

    @property
    def fields(self) -> tuple[Field, ...]:
        """All fields, in order."""
        return tuple(field for step in self.steps for field in step.fields)

    @property
    def required(self) -> tuple[str, ...]:
        """The names of the fields that have to be filled in."""
        return tuple(field.name for field in self.fields if field.required)

    def in_words(self) -> str:
        """Return what the form takes, in a line."""
        steps, required = len(self.steps), len(self.required)
        login = "with a login" if self.login else "no login"
        return f"{steps} step{'s' * (steps != 1)}, {required} required field{'s' * (required != 1)}, {login}"


FIND = Field(name="find", asks="A link to the content, or a name to find it by", required=True, most=4000, lines=True)
ANSWER_TO = Field(name="answer_to", asks="An address for our answer", required=True, most=500)
REASON = Field(name="reason", asks="If you like: why", required=False, most=10_000, lines=True)

FORM = Form(version=1, steps=(FormStep(title="What is it about?", fields=(FIND, ANSWER_TO, REASON)),), login=False)
"""The form that every part of Consentry serves."""
