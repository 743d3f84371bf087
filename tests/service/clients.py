"""Clients of staff and of programs, and how one is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest

from consentry.accounts.access import Role
from consentry.bootstrap import Deployment
from consentry.client.api import Consentry, RefusedError
from service.staff import Office

_T = TypeVar("_T")
PROGRAMS = frozenset({Role.PLATFORM, Role.ML_ENGINEER})


def there(found: _T | None) -> _T:
    """Return a part of an answer that may be null, and is not."""
    assert found is not None
    return found


@contextmanager
def as_(place: Office, *handles: str) -> Iterator[list[Consentry]]:
    """Yield a client for each member of staff."""
    found = [Consentry(place.ask.url, session=place.cookies[each]) for each in handles]
    try:
        yield found
    finally:
        for each in found:
            each.close()


def program(deployment: Deployment, url: str) -> Consentry:
    """Return a client with the key of a program."""
    with deployment.admission() as admission:
        _, key = admission.add_key("programs", roles=PROGRAMS, by="ada")
    return Consentry(url, key=key)


@contextmanager
def refused(code: str) -> Iterator[None]:
    with pytest.raises(RefusedError) as caught:
        yield
    assert caught.value.code == code, caught.value
