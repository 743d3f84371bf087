"""A check of our own for Schemathesis, which loads this file: errors are those that the description names.

* Each error has a code that stands at its operation and status in the description.
* What the description allows is never refused as malformed, nor as asked by the wrong caller: then the description
  would promise what the server does not do. Refused may be what only the server can know, under a code of its own,
  and a key or a token that Schemathesis made up: the description does not say which ones there are.
"""

from __future__ import annotations

import re
from typing import Any

import schemathesis
from schemathesis.specs.openapi.checks import is_unexpected_http_status_case

NEVER = frozenset({"serve-malformed", "serve-media-type", "serve-no-such-address", "access-denied"})
"""Codes with which nothing is refused that the description allows."""


def _is_allowed(meta: Any) -> bool:
    """Say whether the description allows all of a request; what tries a header can have a body that it does not."""
    return meta.generation.mode.is_positive and all(each.mode.is_positive for each in meta.components.values())


def codes_of_the_description(_context: Any, response: Any, case: Any) -> bool | None:
    """Fail if an error has a code that stands nowhere, or says of what is allowed that it is not."""
    described = case.operation.definition.raw["responses"].get(str(response.status_code))
    if response.status_code < 400 or described is None or is_unexpected_http_status_case(case):
        return None
    code = response.json()["code"]
    named = set(re.findall(r"`([a-z0-9-]+)`", described["description"]))
    where = f"{case.operation.label}, {response.status_code}"
    assert code in named, f"{where}: `{code}` is not in the description, which has {sorted(named)}"
    if case.meta is not None and _is_allowed(case.meta):
        assert code not in NEVER, f"{where}: what the description allows is refused as `{code}`"
    return None


schemathesis.check(codes_of_the_description)
