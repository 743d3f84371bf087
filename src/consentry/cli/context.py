"""What a command that needs the deployment is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

import click

from consentry.bootstrap import Deployment, open_deployment
from consentry.cli.invocation import Invocation
from consentry.home import holds_deployment, require_deployment
from consentry.settings import read_settings

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


@dataclass(slots=True)
class Context(Invocation):
    """Where to write, and the deployment, opened when first asked for."""

    _deployment: Deployment | None = field(default=None)

    @property
    def deployment(self) -> Deployment:
        """The deployment. A folder that holds none is refused (`home-missing`), and left as it is."""
        if self._deployment is None:
            self.require()
        return self._opened()

    def begin(self) -> Deployment:
        """Return the deployment; if there is none a new one is made, and said so. For commands that begin one."""
        was_new = self.is_new
        found = self._opened()
        if was_new:
            self.out.note(f"Made a new deployment in {found.settings.home}")
        return found

    @property
    def is_new(self) -> bool:
        """Whether there is no deployment yet: `begin` would make one."""
        if self._deployment is not None:
            return False
        return not holds_deployment(read_settings(self.home))

    def require(self) -> None:
        """Refuse a folder that holds no deployment."""
        require_deployment(read_settings(self.home))

    def _opened(self) -> Deployment:
        if self._deployment is None:
            self._deployment = open_deployment(self.home, watching=self.out.progress)
        return self._deployment

    def close(self) -> None:
        """Let go of the deployment."""
        if self._deployment is not None:
            self._deployment.close()


def current() -> Context:
    """Return the context of the command that is running; it is closed when the command has ended."""
    root = click.get_current_context().find_root()
    if not isinstance(root.obj, Context):
        root.obj = Context(home=root.obj.home, out=root.obj.out)
        root.call_on_close(root.obj.close)
    return root.obj


def pass_context(command: Callable[Concatenate[Context, _Given], _Result]) -> Callable[_Given, _Result]:
    """Give a command its context as the first argument."""

    @wraps(command)
    def given(*args: _Given.args, **named: _Given.kwargs) -> _Result:
        return command(current(), *args, **named)

    return given
