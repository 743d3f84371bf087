"""The whole examination: the machine and what is installed, then the deployment."""

from __future__ import annotations

from pathlib import Path

from consentry.doctor import deployment, installation, machine
from consentry.doctor.finding import Finding, State
from consentry.errors import InputError
from consentry.policy.choice import Seconds
from consentry.settings import read_settings


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
        deployment.ledger(settings),
        *deployment.keys(settings.home / "keys"),
        deployment.identity(settings),
        *([] if at is None else deployment.due(settings, at)),
    ]


def _settings_problem(error: InputError) -> Finding:
    purpose = "how this deployment runs; the rest of it was not looked at"
    return Finding(name="settings", state=State.PROBLEM, found=str(error), purpose=purpose, remedy=error.help)
