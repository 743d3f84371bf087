"""A policy set: the named, dated, digested list of rules that decides, with examples that must hold.

* A set decides about the purposes it names and those below them; every other purpose is denied.
* Every rule names its purposes: a rule whose text names none has those of the set.
* The order of rules and of examples means nothing.
* `digest` stands for what the rules say: the same rules have the same digest, however the text is laid out or ordered.
  Examples are left out of it, because they test the rules and change nothing.
* A set that names no purpose decides nothing. Published under a name, it takes what was in force there out of force.
* `source` is the digest of the text the set was read from.

A set is read from text by `consentry.policy.policy_parser`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, TypeVar

from consentry.digests import Digest, digest, digest_json
from consentry.policy.choice import Standing
from consentry.policy.evaluator import Decision, Request, evaluate
from consentry.policy.expressions import Effect, Item, NoticeCondition, Person, Rule, Translated, in_language
from consentry.policy.vocabulary import Account, Age, Category, ChoiceState, LegalBasis, Purpose, Visibility

FORMAT = "consentry-policy-set/1"
OUT_OF_FORCE = """\
[policy_set]
name = "{name}"
version = "withdrawn"
title.en = "Withdrawn: this set permits nothing any more"
title.cy = "Tynnwyd yn ôl: nid yw’r set hon yn caniatáu dim mwyach"
title.fr = "Retiré : cet ensemble ne permet plus rien"
title.de = "Zurückgezogen: Diese Regeln erlauben nichts mehr"
title.es = "Retirado: este conjunto ya no permite nada"
title.ar = "سُحبت: لم تعد هذه المجموعة تسمح بشيء"
purposes = []
"""
"""The text that takes the set of a name out of force, once it is published."""
_FIRST_OUT_OF_FORCE = """\
[policy_set]
name = "{name}"
version = "withdrawn"
title = "Withdrawn: this set permits nothing any more"
purposes = []
"""
"""What it was before it had a title in each language of the pages: sets were taken out of force with it."""


def withdrawals(name: str) -> frozenset[Digest]:
    """Return the digests of every text that takes, or ever took, the set of a name out of force."""
    return frozenset(digest(text.format(name=name).encode()) for text in (OUT_OF_FORCE, _FIRST_OUT_OF_FORCE))


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A request and the answer it must get. Every reason in `because` must be among the reasons of the decision."""

    title: str
    given: Request
    allowed: bool
    because: tuple[str, ...] = ()
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleResult:
    """What became of an example: the decision, and in `failure` why it does not hold (empty if it does)."""

    example: Example
    decision: Decision
    failure: str = ""

    @property
    def holds(self) -> bool:
        """Whether the decision is what the example expects."""
        return not self.failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedies:
    """Within how many days something is done about a model that was trained on what was withdrawn since.

    A remedy is chosen within so many days of the withdrawal, and finished within so many days of the choice. A model
    that is withdrawn itself is destroyed within so many days of that.
    """

    choose_within_days: int = 30
    finish_within_days: int = 90
    destroy_within_days: int = 90


class SignalMeaning(StrEnum):
    """What it means that the browser of a person who has said nothing sends a signal."""

    REFUSE = "refuse"
    """It is their no, and is recorded."""
    SUGGEST = "suggest"
    """No is chosen on their page, and counts once they save it."""
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What signals of browsers mean."""

    global_privacy_control: SignalMeaning = SignalMeaning.REFUSE


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySet:
    """Rules for some purposes, under a name and a version.

    INVARIANT: ids of rules are unique; each rule names purposes; each permit's purposes are covered by the set's.
    """

    name: str
    version: str
    title: str
    purposes: frozenset[Purpose]
    rules: tuple[Rule, ...]
    examples: tuple[Example, ...] = ()
    source: Digest = ""
    remedies: Remedies = Remedies()
    signals: Signals = Signals()
    title_in: Translated = ()

    def __post_init__(self) -> None:
        if len({rule.id for rule in self.rules}) != len(self.rules):
            raise ValueError("two rules of a policy set have the same id")
        for rule in self.rules:
            if not rule.purposes or (rule.effect is Effect.PERMIT and not all(map(self.decides, rule.purposes))):
                raise ValueError(f"rule `{rule.id}` is not about purposes that the set decides")

    def decides(self, purpose: Purpose) -> bool:
        """Say whether the set has a say about `purpose`; what it does not decide it denies."""
        return any(named.covers(purpose) for named in self.purposes)

    def title_for(self, language: str) -> tuple[str, str]:
        """Return the title in a language, and the language it is in: English where nobody wrote it in this one."""
        return in_language(language, self.title, others=self.title_in)

    @property
    def notices(self) -> frozenset[str]:
        """The notices that some rule waits for."""
        return frozenset(rule.notice.notice for rule in self.rules if rule.notice is not None)

    @property
    def digest(self) -> Digest:
        """The digest of what the set says."""
        return digest_json(self.canonical())

    def rule(self, rule_id: str) -> Rule:
        """Return the rule with this id.

        Raises:
            KeyError: there is none.
        """
        for rule in self.rules:
            if rule.id == rule_id:
                return rule
        raise KeyError(rule_id)

    def canonical(self) -> dict[str, Any]:
        """Return what the digest covers."""
        # Only if it says something: the digests of sets that are silent about it stay what they were.
        remedies = {} if self.remedies == Remedies() else {"remedies": _remedies_to_json(self.remedies)}
        signals = {} if self.signals == Signals() else {"signals": asdict(self.signals)}
        title_in = {"title_in": dict(self.title_in)} if self.title_in else {}
        return {
            "format": FORMAT,
            "name": self.name,
            "version": self.version,
            "title": self.title,
            **title_in,
            "purposes": sorted(self.purposes),
            **remedies,
            **signals,
            "rules": [rule_to_json(rule) for rule in sorted(self.rules, key=lambda rule: rule.id)],
        }

    def to_json(self) -> dict[str, Any]:
        """Return everything, so that `from_json` gives back an equal set."""
        body = self.canonical()
        body["rules"] = [{**rule_to_json(rule), "line": rule.line} for rule in self.rules]
        body["examples"] = [_example_to_json(example) for example in self.examples]
        body["source"] = self.source
        return body

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> PolicySet:
        """Return the set that `to_json` wrote.

        Raises:
            ValueError: the format or a word is not known.
            KeyError: something is missing.
        """
        if body["format"] != FORMAT:
            raise ValueError(f"unknown policy set format {body['format']!r}")
        return cls(
            name=body["name"],
            version=body["version"],
            title=body["title"],
            title_in=tuple(sorted(body.get("title_in", {}).items())),
            purposes=frozenset(map(Purpose, body["purposes"])),
            rules=tuple(map(rule_from_json, body["rules"])),
            examples=tuple(map(_example_from_json, body["examples"])),
            source=body["source"],
            remedies=Remedies(**body.get("remedies", {})),
            signals=Signals(**{name: SignalMeaning(word) for name, word in body.get("signals", {}).items()}),
        )


def run_examples(policy_set: PolicySet) -> tuple[ExampleResult, ...]:
    """Decide every example of a set and say whether it holds."""
    return tuple(_run(policy_set, example) for example in policy_set.examples)


def _run(policy_set: PolicySet, example: Example) -> ExampleResult:
    decision = evaluate(policy_set.rules, example.given)
    reasons = [str(reason) for reason in decision.reasons]
    missing = [reason for reason in example.because if reason not in reasons]
    found = f"{'allow' if decision.allowed else 'deny'}, because of {', '.join(reasons)}"
    failure = ""
    if decision.allowed is not example.allowed:
        failure = f"expected {'allow' if example.allowed else 'deny'}, found {found}"
    elif missing:
        failure = f"expected the reason {', '.join(missing)}, found {found}"
    return ExampleResult(example=example, decision=decision, failure=failure)


_SETS_OF_WORDS: dict[str, type[StrEnum]] = {
    "purposes": Purpose,
    "categories": Category,
    "visibilities": Visibility,
    "ages": Age,
    "choices": ChoiceState,
}


def rule_to_json(rule: Rule) -> dict[str, Any]:
    """Return a rule without its line; conditions that are not there are left out."""
    body: dict[str, Any] = {}
    for each in fields(rule):
        value = getattr(rule, each.name)
        if each.name == "line" or value is None or value in (frozenset(), ()):
            continue
        if isinstance(value, NoticeCondition):
            value = {"notice": value.notice, "days": value.days}
        if each.name == "why_in":
            value = dict(value)
        body[each.name] = sorted(value) if isinstance(value, frozenset) else value
    return body


def rule_from_json(body: Mapping[str, Any]) -> Rule:
    """Return the rule that `rule_to_json` wrote."""
    words: dict[str, Any] = {key: _words(kind, body.get(key, ())) for key, kind in _SETS_OF_WORDS.items()}
    return Rule(
        id=body["id"],
        effect=Effect(body["effect"]),
        why=body["why"],
        why_in=tuple(sorted(body.get("why_in", {}).items())),
        legal_basis=LegalBasis(body["legal_basis"]) if "legal_basis" in body else None,
        inside=frozenset(body.get("inside", ())),
        outside=frozenset(body.get("outside", ())),
        created_from=body.get("created_from"),
        created_before=body.get("created_before"),
        notice=NoticeCondition(**body["notice"]) if "notice" in body else None,
        line=body.get("line", 0),
        **words,
    )


_Word = TypeVar("_Word", bound=StrEnum)


def _words(kind: type[_Word], values: Iterable[str]) -> frozenset[_Word]:
    return frozenset(map(kind, values))


def _remedies_to_json(remedies: Remedies) -> dict[str, int]:
    days = asdict(remedies)
    # It came later: the digests of sets that are silent about it stay what they were.
    if remedies.destroy_within_days == Remedies().destroy_within_days:
        del days["destroy_within_days"]
    return days


def _example_to_json(example: Example) -> dict[str, Any]:
    given = example.given
    return {
        "title": example.title,
        "given": {
            "purpose": given.purpose,
            "at": given.at,
            "category": given.item.category,
            "visibility": given.item.visibility,
            "created": given.item.created,
            "people": [_person_to_json(person) for person in given.people],
        },
        "allowed": example.allowed,
        "because": list(example.because),
        "line": example.line,
    }


def _example_from_json(body: Mapping[str, Any]) -> Example:
    given = body["given"]
    request = Request(
        purpose=Purpose(given["purpose"]),
        item=Item(
            category=Category(given["category"]), visibility=Visibility(given["visibility"]), created=given["created"]
        ),
        people=tuple(map(_person_from_json, given["people"])),
        at=given["at"],
    )
    because = tuple(body["because"])
    return Example(title=body["title"], given=request, allowed=body["allowed"], because=because, line=body["line"])


def _person_to_json(person: Person) -> dict[str, Any]:
    return {
        "places": sorted(person.places),
        "established": person.established,
        "age": person.age,
        "account": person.account,
        "known": person.known,
        "choice": person.standing.state,
        "since": person.standing.since,
        "notices": dict(person.notices),
    }


def _person_from_json(body: Mapping[str, Any]) -> Person:
    return Person(
        places=frozenset(body["places"]),
        established=body["established"],
        age=Age(body["age"]),
        account=Account(body["account"]),
        known=body["known"],
        standing=Standing(ChoiceState(body["choice"]), body["since"]),
        notices=dict(body["notices"]),
    )
