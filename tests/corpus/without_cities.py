"""What a location text says without the city index, which is an extra: whether it is installed or not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from consentry.corpus import place_names
from consentry.corpus.location_text import locate


@contextmanager
def no_city_known() -> Iterator[None]:
    """Read texts as where the extra is not installed. The index itself is kept: reading it again takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(place_names, "cities", dict)
        locate.cache_clear()
        yield
    locate.cache_clear()


@pytest.fixture(scope="module", autouse=True)
def without_cities() -> Iterator[None]:
    with no_city_known():
        yield


def places(text: str) -> set[str]:
    return set(locate(text).places)
