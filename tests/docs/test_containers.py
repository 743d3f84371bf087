"""deploy/ names what is there: files, commands, settings. It cannot be run here; docs/containers.md says so."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click

from consentry.cli.invocation import Later
from consentry.cli.main import cli
from consentry.service.server import DEFAULT_PORT
from consentry.settings import Settings

ROOT = Path(__file__).parents[2]
IMAGE = (ROOT / "deploy" / "Containerfile").read_text("utf-8")
COMPOSE = (ROOT / "deploy" / "compose.yaml").read_text("utf-8")
PAGE = (ROOT / "docs" / "containers.md").read_text("utf-8")
INSTRUCTIONS = [
    line.split(maxsplit=1)
    for line in IMAGE.replace("\\\n", " ").splitlines()
    if line.strip() and not line.startswith("#")
]
KNOWN = {"FROM", "COPY", "RUN", "USER", "VOLUME", "ENV", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD"}


def of(word: str) -> list[str]:
    return [rest for name, rest in INSTRUCTIONS if name == word]


def test_the_image_is_made_of_what_is_there() -> None:
    assert {name for name, _ in INSTRUCTIONS} == KNOWN
    for rest in of("COPY"):
        source, target = rest.split()
        assert (ROOT / source).exists(), source
        assert target.startswith("/consentry/")
    (installed,) = [rest for rest in of("RUN") if "pip install" in rest]
    assert {"--require-hashes", "--no-deps"} <= set(installed.split())
    assert of("USER") == ["consentry"]
    order = [name for name, _ in INSTRUCTIONS]
    assert max(index for index, name in enumerate(order) if name == "RUN") < order.index("USER"), "no root afterwards"


def test_what_it_runs_is_a_command() -> None:
    (entry,), (command,), (check,) = of("ENTRYPOINT"), of("CMD"), of("HEALTHCHECK")
    assert json.loads(entry) == ["python", "-P", "-m", "consentry"]
    assert of("EXPOSE") == [str(DEFAULT_PORT)]
    said = [
        json.loads(command),
        *(json.loads(each) for each in re.findall(r"^    command: (\[.*\])$", COMPOSE, re.MULTILINE)),
    ]
    said += [line.split() for line in re.findall(r"run --rm server (.+)$", PAGE, re.MULTILINE)]
    assert len(said) == 6
    for words in said:
        found: click.Command = cli
        while isinstance(found, click.Group):
            found = found.commands[words.pop(0)]
            found = found.load() if isinstance(found, Later) else found
        found.make_context(found.name, list(words), resilient_parsing=False)
    compile(json.loads(check.partition(" CMD ")[2])[2], "check", "exec")


def test_settings_are_settings() -> None:
    known = {f"CONSENTRY_{name.upper()}" for name in Settings.model_fields}
    named = set(re.findall(r"\bCONSENTRY_[A-Z_]+\b", IMAGE + COMPOSE + PAGE)) - {"CONSENTRY_DATABASE_PASSWORD"}
    assert named <= known
    assert len(named) >= 4


def test_the_trial_is_for_this_machine_and_holds_no_password() -> None:
    assert re.findall(r"ports: (.*)", COMPOSE) == [f'["127.0.0.1:{DEFAULT_PORT}:{DEFAULT_PORT}"]']
    for line in COMPOSE.splitlines():
        assert not re.search(r"PASSWORD: (?!\$\{)", line), line
        assert "\t" not in line
    assert "docs/containers.md" in IMAGE
    assert "docs/containers.md" in COMPOSE
    assert "They were not run where they were written" in PAGE
