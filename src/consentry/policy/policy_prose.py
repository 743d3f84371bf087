"""A policy set, and the difference between two, in plain English: what `policy show` and `policy diff` print."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from consentry.policy.choice import as_date
from consentry.policy.expressions import Effect, Rule
from consentry.policy.policy_diff import Flip, PolicyDiff
from consentry.policy.policy_set import PolicySet, Remedies, SignalMeaning
from consentry.policy.vocabulary import ChoiceState, Purpose

_CHOICES = {
    ChoiceState.UNSET: "said nothing",
    ChoiceState.ALLOWED: "agreed",
    ChoiceState.REFUSED: "refused",
}

_SIGNALS = {
    SignalMeaning.REFUSE: "A browser that sends Global Privacy Control says no for a person who has said nothing.",
    SignalMeaning.SUGGEST: "Where a browser sends Global Privacy Control, no is chosen on the page of a person who has "
    "said nothing; it counts once they save it.",
    SignalMeaning.IGNORE: "That a browser sends Global Privacy Control means nothing.",
}


_OTHER_LANGUAGES = "_in"
_SHORT = 70
"""Characters: what fits on one line with what it was."""


def describe(policy_set: PolicySet) -> list[str]:
    """Return what a set says, line by line."""
    also = [purpose for purpose in Purpose if policy_set.decides(purpose) and purpose not in policy_set.purposes]
    covering = f", and with it about {_list(also, 'and')}" if also else ""
    permits = [rule for rule in policy_set.rules if rule.effect is Effect.PERMIT]
    forbids = [rule for rule in policy_set.rules if rule.effect is Effect.FORBID]
    lines = [
        f"{policy_set.name}, version {policy_set.version}: {policy_set.title}",
        *(f"  title ({code}): {text}" for code, text in policy_set.title_in),
        f"Decides about {_list(sorted(policy_set.purposes), 'and')}{covering}. Every other use is denied."
        if policy_set.purposes
        else "Decides about no use, and permits nothing: it takes the place of a set that was in force.",
        "Denied whatever the rules say: a refusal, a closed account, an unknown owner, country, age or category.",
    ]
    if (remedies := policy_set.remedies) != Remedies():
        lines.append(
            "A model that was trained on what is withdrawn later: what to do is chosen within "
            f"{remedies.choose_within_days} days, and done within {remedies.finish_within_days} more. One that is "
            f"withdrawn itself is destroyed within {remedies.destroy_within_days} days."
        )
    lines.append(_SIGNALS[policy_set.signals.global_privacy_control])
    for rule in (*permits, *forbids):
        lines += ["", *_rule(rule, policy_set)]
    count = len(policy_set.examples)
    return [*lines, "", f"{count} example{'' if count == 1 else 's'}. {policy_set.digest}"]


def _rule(rule: Rule, policy_set: PolicySet) -> list[str]:
    verb = "Permitted" if rule.effect is Effect.PERMIT else "Forbidden"
    basis = ""
    if rule.legal_basis is not None:
        basis = f" (legal basis: {rule.legal_basis.replace('-', ' ')}, GDPR Art. {rule.legal_basis.article})"
    conditions = list(_conditions(rule))
    if rule.purposes != policy_set.purposes:
        conditions.insert(0, f"the use is {_list(sorted(rule.purposes))}")
    when = [f"  if {conditions[0]}", *(f"  and {each}" for each in conditions[1:])] if conditions else ["  always"]
    term = [f"  basis: {rule.legal_basis.iri}"] if rule.legal_basis is not None else []
    why = [f"  because: {rule.why}", *(f"  because ({code}): {text}" for code, text in rule.why_in)]
    return [f"{verb} by `{rule.id}`{basis}:", *when, *why, *term]


def _conditions(rule: Rule) -> Iterable[str]:
    if rule.categories:
        yield f"the category is {_list(sorted(rule.categories))}"
    if rule.visibilities:
        yield f"it could be seen by: {_list(sorted(rule.visibilities))}"
    if rule.created_from is not None:
        yield f"it was created on or after {as_date(rule.created_from)}"
    if rule.created_before is not None:
        yield f"it was created before {as_date(rule.created_before)}"
    if rule.inside:
        yield f"the person is in {_list(sorted(rule.inside))}"
    if rule.outside:
        yield f"the person is not in {_list(sorted(rule.outside))}"
    if rule.ages:
        yield f"the person is {_list(sorted('an adult' if age == 'adult' else f'a {age}' for age in rule.ages))}"
    if rule.choices:
        yield f"the person {_list(_CHOICES[choice] for choice in ChoiceState if choice in rule.choices)}"
    if rule.notice is not None:
        waited = f" at least {_days(rule.notice.days)} ago" if rule.notice.days else ""
        yield f"notice `{rule.notice.notice}` was served{waited}"


def _days(number: int) -> str:
    return "1 day" if number == 1 else f"{number} days"


def describe_diff(difference: PolicyDiff) -> list[str]:
    """Return what differs, line by line: the answers first, then the rules, and last what translations say."""
    changes = [("", change) for change in difference.head]
    changes += [(f"rule `{rule.id}`: ", change) for rule in difference.changed for change in rule.changes]
    translated = [each for each in changes if each[1].part.endswith(_OTHER_LANGUAGES)]
    told = [each for each in changes if each not in translated]
    return [
        *([_flip(flip) for flip in difference.flips] or ["no answer changes"]),
        *(f"rule `{rule.id}` added ({rule.effect})" for rule in difference.added),
        *(f"rule `{rule.id}` removed ({rule.effect})" for rule in difference.removed),
        *(f"{whose}{line}" for whose, change in (*told, *translated) for line in _differs(*change)),
    ]


def _differs(part: str, before: Any, after: Any) -> Iterator[str]:
    """Yield how a part differs: each language by itself, and long texts one below the other."""
    if part.endswith(_OTHER_LANGUAGES):
        was, now = before or {}, after or {}
        for code in sorted({*was, *now}):
            if was.get(code) != now.get(code):
                yield from _differs(f"{part.removesuffix(_OTHER_LANGUAGES)} ({code})", was.get(code), now.get(code))
        return
    was, now = _value(before), _value(after)
    if len(was) + len(now) <= _SHORT:
        yield f"{part}: {was} -> {now}"
    else:
        yield f"{part}, before: {was}"
        yield f"{part}, after: {now}"


def _flip(flip: Flip) -> str:
    turned = "deny -> allow" if flip.allowed else "allow -> deny"
    where = [f"in {', '.join(flip.inside)}"] if flip.inside else []
    where += [f"everywhere but {', '.join(flip.outside)}"] if flip.outside else []
    words = [f"{dimension}: {', '.join(labels)}" for dimension, labels in flip.words.items() if labels]
    return f"{turned}: " + "; ".join([*where, *words, f"purpose: {', '.join(flip.purposes)}"])


def _value(value: Any) -> str:
    if value is None:
        return "(none)"
    if isinstance(value, dict):
        return ", ".join(f"{name} {each}" for name, each in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _list(words: Iterable[str], joint: str = "or") -> str:
    *first, last = words
    return f"{', '.join(first)} {joint} {last}" if first else last
