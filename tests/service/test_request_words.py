"""A request that does not fit is refused in plain words: which value, and what it must be."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import httpx2
import pytest

import consentry.service.api.shape as shape
from consentry.service.gate import COOKIE
from service.staff import Office
from service.staff import place as place  # noqa: PLC0414 - a fixture

ORDER: dict[str, Any] = {"case": "ico", "scope": {"areas": ["UK"]}, "reference": "letter 1"}
WRONG: tuple[tuple[dict[str, Any], str], ...] = (
    ({"case": "ICO 2024"}, "`body.case` must be lower-case letters, digits and single hyphens"),
    ({"case": 7}, "`body.case` is no text"),
    ({"case": "a" * 101}, "`body.case` has more than 100 characters"),
    ({"reference": " "}, "`body.reference` must be one line in Latin letters, not only spaces"),
    ({"reference": ""}, "`body.reference` has fewer characters than 1"),
    ({"case": None}, "`body.case` is no text"),
    ({"scope": []}, "`body.scope` is no object with names and values"),
    ({"scope": {"areas": "UK"}}, "`body.scope.areas` is no list"),
    (
        {"scope": {"areas": ["uk"]}},
        "`body.scope.areas.0` must be a code of a place in capitals, such as UK or CA-QC",
    ),
    ({"scope": {"purposes": ["fun"]}}, "`body.scope.purposes.0` is none of 'train-ai', "),
    ({"scope": {"created_from": "2024"}}, "`body.scope.created_from` is no whole number"),
    ({"scope": {"created_from": -1}}, "`body.scope.created_from` is less than 0"),
    ({"scope": {"created_before": 1 << 60}}, "`body.scope.created_before` is more than 253402300799"),
    ({"scop": {}}, "`body.scop` is a name that is not known here"),
)


@pytest.mark.parametrize(("part", "said"), WRONG)
def test_what_does_not_fit_is_said_in_plain_words(place: Office, part: dict[str, Any], said: str) -> None:
    answer = _sent(place, {**ORDER, **part})
    assert (answer["code"], answer["status"]) == ("serve-malformed", 422)
    assert answer["title"].startswith(f"the request does not fit: {said}")
    assert answer["detail"] == "/docs says what each request holds"


def test_what_is_missing_is_named(place: Office) -> None:
    assert _sent(place, {"scope": {}})["title"] == "the request does not fit: `body.case` is missing"


def _sent(place: Office, body: dict[str, Any]) -> dict[str, Any]:
    headers = {"cookie": f"{COOKIE}={place.cookies['olga']}", "sec-fetch-site": "same-origin"}
    found: dict[str, Any] = httpx2.post(f"{place.ask.url}/v1/orders", json=body, headers=headers).json()
    return found


def test_every_pattern_that_a_request_has_to_keep_to_has_words() -> None:
    """Only forms of answers, which nobody has to mend, may be without."""
    bare = [
        (path.name, node.value.value)
        for path in sorted(Path(shape.__file__).parent.glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.keyword) and node.arg == "pattern" and isinstance(node.value, ast.Constant)
    ]
    assert bare == [("shape.py", r"^[a-z0-9]+(-[a-z0-9]+)*$")], "the code of a problem"
