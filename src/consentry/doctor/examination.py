"""The whole examination: the machine and what is installed, then the deployment."""

from __future__ import annotations

from pathlib import Path

from consentry.doctor import deployment, installation, machine
from consentry.doctor.finding import Finding, State
from consentry.errors import InputError
from consentry.policy.choice import Seconds
from consentry.settings import Settings, read_settings


def examine(home: Path | None = None, *, at: Seconds | None = None) -> list[Finding]:
    """Look at this machine and at the deployment in `home` (default: as `read_settings`), at what is due at `at`."""
    findings = [
        installation.python(),
        *installation.core_packages(),
        *installation.extras(),
        *installation.on_training_hosts(),
        machine.memory(),
    ]
    try:
        settings = read_settings(home)
    except InputError as error:
        return [*findings, _settings_problem(error)]
    return [
        *findings,
        machine.disk(settings.home),
        deployment.home(settings.home),
        deployment.settings(settings),
        *installation.spark(settings.spark),
        deployment.controller(settings),
        *_ledger_and_keys(settings, at),
    ]


def _ledger_and_keys(settings: Settings, at: Seconds | None) -> list[Finding]:
    keys = deployment.keys(settings.home / "keys")
    if deployment.is_new(settings):
        return [deployment.sqlite(settings.ledger), *keys, deployment.no_identity()]
    # Only here: it brings a database and more, which nobody should wait for who has no deployment yet.
    from consentry.doctor import asking  # noqa: PLC0415

    due = [] if at is None else asking.due(settings, at)
    ledger = [asking.ledger(settings), *asking.events(settings)]
    return [*ledger, *keys, asking.identity(settings), deployment.second_note(settings), *due]


def _settings_problem(error: InputError) -> Finding:
    purpose = "how this deployment runs; the rest of it was not looked at"
    return Finding(name="settings", state=State.PROBLEM, found=str(error), purpose=purpose, remedy=error.help)
