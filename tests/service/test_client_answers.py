"""The types of the client's answers: made of the description, named by each method as it has them, and seen by mypy."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from typing import Any, assert_type

import service.staff as staff
from consentry.client import answers, model_answers, oversight_answers, staff_answers
from consentry.client.api import Consentry
from consentry.client.staff import ForStaff
from service.at_work import POLICY
from service.client_answers import CLIENT, IMPORTERS, calls, document, modules
from service.staff import Office


def test_the_types_are_those_of_the_description() -> None:
    advice = "write them anew: PYTHONPATH=src:tests .run/test/bin/python -P tests/service/client_answers.py"
    for name, text in modules().items():
        assert (CLIENT / f"{name}.py").read_text("utf-8") == text, advice


def test_each_method_names_the_answer_that_the_description_has() -> None:
    found = document()
    operations = {
        (method, re.sub(r"\{[^}]*\}", "{}", path)): each
        for path, methods in found["paths"].items()
        for method, each in methods.items()
    }
    typed = [each for each in calls() if each.answer]
    assert len(typed) > 60
    for call in typed:
        operation = operations[call.method, call.path]
        (said,) = (each for status, each in operation["responses"].items() if status.startswith("2"))
        schema = said["content"]["application/json"]["schema"]
        # Of several it is the first: about no evaluations at all the client does not ask.
        name = _name(schema.get("anyOf", [schema])[0])
        if call.rows:
            name = _name(found["components"]["schemas"][name]["properties"][call.rows]["items"])
        assert call.answer == name, call


def _name(schema: dict[str, Any]) -> str:
    return str(schema["$ref"].rpartition("/")[2])


def test_every_method_says_what_comes_back() -> None:
    for name, method in inspect.getmembers(Consentry, inspect.isfunction):
        if not name.startswith("_"):
            said = str(inspect.signature(method).return_annotation)
            assert "Any" not in said, f"{name} returns {said}"
            assert "Json" not in said, f"{name} returns {said}"
    assert issubclass(Consentry, ForStaff)


def test_every_field_is_always_there() -> None:
    for module in (answers, model_answers, oversight_answers, staff_answers):
        for name, kind in inspect.getmembers(module, inspect.isclass):
            assert not getattr(kind, "__optional_keys__", None), name


def test_the_client_is_imported_without_the_server_or_anything_large() -> None:
    program = "import consentry.client.api, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    loaded = {each.partition(".")[0] for each in done.stdout.split()}
    assert not loaded & {"fastapi", "pydantic", "starlette", "numpy", "pyarrow", "sqlalchemy", "jinja2", "click"}
    own = {each for each in done.stdout.split() if each.startswith("consentry.")}
    assert own == {f"consentry.{each}" for each in ("client", "errors")} | {
        f"consentry.client.{each}" for each in ("api", "connection", *IMPORTERS, "models", "oversight", "staff")
    }


place = staff.place


def test_mypy_sees_the_fields(place: Office) -> None:
    with Consentry(place.ask.url, session=place.cookies["olga"]) as olga:
        release = assert_type(olga.release(place.release), answers.WholeRelease)
        assert assert_type(release["counts"]["eligible"], int) == 3
        assert assert_type(release["withdrawn"], answers.Withdrawn | None) is None
        order = olga.suspend(case="uk", scope={"areas": ["UK"]}, reference="letter")
        assert assert_type(order["scope"]["areas"], list[str]) == ["UK"]
        assert [assert_type(each["standing"], oversight_answers.CaseStanding) for each in olga.cases()] == ["suspended"]
        assert [each["name"] for each in olga.policy_sets()] == [POLICY]
