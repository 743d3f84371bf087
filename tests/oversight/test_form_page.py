"""What a page with a form takes: steps, fields that have to be filled in, a login."""

from __future__ import annotations

import pytest

from consentry.oversight.form_page import read_form
from consentry.oversight.objection_form import Form

ONE = '<form method="post" action="/object?lang=fr"><fieldset><input name="a" required></fieldset></form>'


def seen(text: str) -> Form:
    form = read_form(f"<!doctype html><html><body>{text}</body></html>", path="/object")
    assert form is not None
    return form


def steps(text: str) -> list[list[str]]:
    return [[field.name for field in step.fields] for step in seen(text).steps]


def test_a_group_is_a_step_and_what_is_in_none_is_one_too() -> None:
    text = """<form method=POST action=/object>
        <input name="first" required><input type="hidden" name="token" required><button name="go">Go</button>
        <fieldset><legend>Who</legend><textarea name="a" required maxlength="40"></textarea><input name="b">
          <fieldset><input type="radio" name="c"><input type="radio" name="c" /></fieldset></fieldset>
        <fieldset></fieldset>
        <select name="last" required></select></form><input name="outside" required>"""
    assert steps(text) == [["first"], ["a", "b", "c"], ["last"]]
    form = seen(text)
    assert form.required == ("first", "a", "last")
    assert [(each.most, each.lines) for each in form.fields if each.name == "a"] == [(40, True)]
    assert not form.login
    assert form.in_words() == "3 steps, 3 required fields, no login"


def test_a_password_is_a_login() -> None:
    assert seen(ONE.replace('name="a"', 'name="a" type="password"')).login
    assert not seen(ONE).login


def test_a_form_beside_it_is_another_one() -> None:
    other = '<form method="post" action="/sign-in"><input name="name" required><input type="password" name="p"></form>'
    assert steps(other + ONE + other) == [["a"]]
    assert not seen(other + ONE).login


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not a page",
        "<form method='post' action='/object'></form>",
        ONE.replace("post", "get"),
        ONE.replace("/object?", "/other?"),
        ONE.replace("/object?", "//elsewhere.example/object?"),
        ONE.replace('name="a"', 'name="a" type="submit"'),
    ],
)
def test_a_page_without_such_a_form_has_none(text: str) -> None:
    assert read_form(text, path="/object") is None
