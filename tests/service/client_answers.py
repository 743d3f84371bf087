"""Writes the types of the client's answers from the description of the interface.

    PYTHONPATH=src:tests .run/test/bin/python -P tests/service/client_answers.py

makes `answers.py`, `model_answers.py`, `oversight_answers.py` and `staff_answers.py` in `src/consentry/client` anew:
each answer that a method names, and what stands in it.
"""

from __future__ import annotations

import ast
import json
import keyword
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from consentry.service.api.document import described
from consentry.service.app import ROUTERS
from consentry.service.gate import addresses

CLIENT = Path(__file__).parents[2] / "src" / "consentry" / "client"
IMPORTERS = {
    "answers": "api",
    "model_answers": "models",
    "oversight_answers": "oversight",
    "staff_answers": "staff",
}
"""Modules that are made, and who needs what is in them. What an earlier one has is not made again."""
_MADE = "Made of its description by `tests/service/client_answers.py`: write nothing in here."
_ABOUT = {
    "answers": "What a server answers to programs",
    "model_answers": "What a server answers about models",
    "oversight_answers": "What a server answers about orders and cases, and to authorities",
    "staff_answers": "What a server answers to staff, about objections, notices and policy sets",
}
_PLAIN = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
_ASKING = {"get": "get", "file": "get", "rows": "get", "post": "post", "once": "post", "write": "post"}
"""How the client asks, and by which method of HTTP."""
_WIDTH = 120
Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a method of the client asks for, and what it says the answer is.

    Attributes:
        answer: the name of a type; empty for bytes.
        rows: the name of the list whose rows are yielded; empty if it is no list.
    """

    method: str
    path: str
    answer: str
    rows: str


def calls() -> Iterator[Call]:
    """Yield every question that the methods of the client ask."""
    trees = [ast.parse((CLIENT / f"{name}.py").read_text("utf-8")) for name in IMPORTERS.values()]
    for node in (node for tree in trees for node in ast.walk(tree)):
        if not isinstance(node, ast.Call) or ast.unparse(node.func).removeprefix("self._") not in _ASKING:
            continue
        verb = ast.unparse(node.func).removeprefix("self._")
        path, *more = node.args
        # Names are put into an address by `address`, and nowhere else.
        template = path.args[0] if isinstance(path, ast.Call) and ast.unparse(path.func) == "address" else path
        rows = ast.literal_eval(more.pop(0)) if verb == "rows" else ""
        yield Call(
            method=_ASKING[verb],
            path=ast.literal_eval(template),
            answer="" if verb == "file" else ast.unparse(more[0]),
            rows=rows,
        )


def document() -> dict[str, Any]:
    """Return the description of the interface."""
    app = FastAPI()
    app.state.addresses = addresses(ROUTERS)
    return described(app)


def modules() -> dict[str, str]:
    """Return the text of each module, by its name."""
    schemas: dict[str, Schema] = document()["components"]["schemas"]
    found: dict[str, str] = {}
    known: dict[str, str] = {}
    for module, importer in IMPORTERS.items():
        names = {each for each in _reached(schemas, _imported(importer)) if _annotation(_to(each), schemas) == each}
        needed = {each for name in names - known.keys() for each in _named(schemas[name])}
        lent = {name: known[name] for name in sorted(needed & known.keys())}
        found[module] = _module(module, names - known.keys(), schemas, lent=lent)
        known |= dict.fromkeys(names - known.keys(), module)
    return found


def _to(name: str) -> Schema:
    return {"$ref": name}


def _imported(importer: str) -> list[str]:
    """Return the names that a module of the client imports from those that are made."""
    tree = ast.parse((CLIENT / f"{importer}.py").read_text("utf-8"))
    made = {f"consentry.client.{module}" for module in IMPORTERS}
    froms = (node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module in made)
    return [alias.name for node in froms for alias in node.names]


def _reached(schemas: Mapping[str, Schema], names: Iterable[str]) -> set[str]:
    """Return the names of schemas, and of all that stand in them."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _named(schemas[name])
    return found


def _named(schema: object) -> Iterator[str]:
    if isinstance(schema, Mapping):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"].rpartition("/")[2]
        for each in schema.values():
            yield from _named(each)
    elif isinstance(schema, list):
        for each in schema:
            yield from _named(each)


def _module(name: str, names: Iterable[str], schemas: Mapping[str, Schema], *, lent: Mapping[str, str]) -> str:
    """Return the text of a module, as the formatter leaves it; `lent` are names with the modules that have them."""
    words = [_words(each, schemas[each]["enum"]) for each in sorted(names) if "enum" in schemas[each]]
    classes = [_class(each, schemas) for each in sorted(names) if "enum" not in schemas[each]]
    body = "\n\n\n".join(["\n".join(words), *classes] if words else classes)
    used = [each for each in ("Any", "Literal", "NotRequired", "TypedDict") if re.search(rf"\b{each}\b", body)]
    parts = [f'"""{_ABOUT[name]}, as types.\n\n{_MADE}\n"""', "from __future__ import annotations"]
    parts.append(f"from typing import {', '.join(used)}")
    if lent:
        parts.append(
            "\n".join(_import(each, [key for key in lent if lent[key] == each]) for each in sorted({*lent.values()}))
        )
    return "\n\n".join(parts) + ("\n\n" if words else "\n\n\n") + body + "\n"


def _import(module: str, names: list[str]) -> str:
    line = f"from consentry.client.{module} import {', '.join(names)}"
    assert len(line) <= _WIDTH, "write it in several lines, as the formatter does"
    return line


def _words(name: str, words: Iterable[str]) -> str:
    said = [json.dumps(each) for each in words]
    line = f"{name} = Literal[{', '.join(said)}]"
    return line if len(line) <= _WIDTH else "\n".join([f"{name} = Literal[", *_each(said), "]"])


def _each(parts: Iterable[str]) -> list[str]:
    return [f"    {each}," for each in parts]


def _class(name: str, schemas: Mapping[str, Schema]) -> str:
    schema = schemas[name]
    fields = {field: _annotation(what, schemas) for field, what in schema["properties"].items()}
    for field in fields.keys() - set(schema.get("required", ())):
        fields[field] = f"NotRequired[{fields[field]}]"
    if any(keyword.iskeyword(each) for each in fields):
        said = ", ".join(f'"{field}": {annotation}' for field, annotation in fields.items())
        return f'{name} = TypedDict("{name}", {{{said}}})'
    about, *more = schema["description"].splitlines()
    told = (
        [f'    """{about}"""']
        if not more
        else [f'    """{about}', *(f"    {each}".rstrip() for each in more), '    """']
    )
    return "\n".join([f"class {name}(TypedDict):", *told, "", *(f"    {each}: {fields[each]}" for each in fields)])


def _annotation(schema: Schema, schemas: Mapping[str, Schema]) -> str:
    """Return what a value of a schema is in Python."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        there = schemas[name]
        return name if "enum" in there or there.get("type") == "object" else _annotation(there, schemas)
    if "anyOf" in schema:
        parts = list(dict.fromkeys(_annotation(each, schemas) for each in schema["anyOf"]))
        return "Any" if "Any" in parts else " | ".join(parts)
    if "const" in schema or "enum" in schema:
        return f"Literal[{', '.join(json.dumps(each) for each in schema.get('enum', [schema.get('const')]))}]"
    kind = schema.get("type")
    if kind == "array":
        return f"list[{_annotation(schema.get('items', {}), schemas)}]"
    if kind == "object":
        more = schema.get("additionalProperties", True)
        return f"dict[str, {_annotation(more, schemas) if isinstance(more, Mapping) else 'Any'}]"
    return "Any" if kind is None else _PLAIN[kind]


def main() -> None:
    """Write both modules."""
    for name, text in modules().items():
        (CLIENT / f"{name}.py").write_text(text, "utf-8")


if __name__ == "__main__":
    main()
