"""A policy set without a fault, as text, for tests that put one into it."""

from __future__ import annotations

from consentry.policy.policy_parser import check

GOOD = """\
[policy_set]
name = "good"
version = "1"
title = "A good one"
purposes = ["train-genai"]

[[permit]]
id = "posts"
why = "Because."
legal_basis = "legitimate-interests"
category = ["post"]
age = ["adult"]
where.outside = ["EU"]
created = { from = 2010-01-01, before = 2024-05-07T12:00:00+02:00 }
notice = { id = "told", days = 30 }

[[forbid]]
id = "private"
why = "Because."
visibility = "private"

[[example]]
title = "a post"
given = { place = "US", age = "adult", category = "post", at = 2024-01-01 }
expect = "deny"
because = ["gap:created-unknown"]
"""


def found(text: str) -> list[tuple[str, int]]:
    """The code and the line of every problem."""
    return [(problem.code, int(problem.where.removeprefix("p.toml:"))) for problem in check(text, "p.toml")]


def instead(old: str, new: str) -> str:
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)
