"""What every command is given, and how it ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import click

from consentry.bootstrap import Deployment, open_deployment
from consentry.cli.output import Output
from consentry.identity import IDENTITY_FILE
from consentry.settings import read_settings

DENIED = 3
"""Exit status of a command whose answer is no."""


class InterruptedWorkError(click.Abort):
    """An interrupt of something that is done piece by piece; the message says which pieces hold."""


@dataclass(slots=True)
class Context:
    """Where to write, and the deployment, opened when first asked for."""

    home: Path | None
    out: Output
    _deployment: Deployment | None = field(default=None)

    @property
    def deployment(self) -> Deployment:
        """The deployment."""
        if self._deployment is None:
            self._deployment = open_deployment(self.home)
        return self._deployment

    @property
    def is_new(self) -> bool:
        """Whether there is no deployment yet: asking for it would make one."""
        return self._deployment is None and not (read_settings(self.home).home / IDENTITY_FILE).exists()

    def close(self) -> None:
        """Let go of the deployment."""
        if self._deployment is not None:
            self._deployment.close()


pass_context = click.make_pass_decorator(Context)
