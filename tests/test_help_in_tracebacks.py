"""Who writes a program reads a traceback: it says what to do as well."""

from __future__ import annotations

import traceback

from consentry.client.connection import RefusedError
from consentry.errors import NotFoundError


def test_a_traceback_shows_the_help() -> None:
    error = NotFoundError("model-unknown", "no model `x`", help="register it")
    assert "no model `x` [model-unknown]\nhelp: register it" in "".join(traceback.format_exception(error))
    assert str(error) == "no model `x` [model-unknown]"


def test_a_refusal_of_a_server_says_what_it_says_to_do() -> None:
    refused = RefusedError(404, {"code": "model-unknown", "title": "no model `x`", "detail": "register it"})
    assert (refused.detail, refused.help, refused.status) == ("register it", "register it", 404)
    assert "help: register it" in "".join(traceback.format_exception(refused))
