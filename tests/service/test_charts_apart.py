"""The parts of a chart are told apart without their hues: by lightness, an outline, a gap (WCAG 1.4.1, 1.4.11)."""

from __future__ import annotations

import re

import pytest

from consentry.charts import Bar, bars, columns
from consentry.service.site import FOLDER

STYLE = (FOLDER / "static" / "site.css").read_text("utf-8").partition("@media (forced-colors: active)")[0]
"""Up to what is drawn in colours of the reader's own, which no hue tells apart."""
ENOUGH = 3.0


def tokens(scheme: str) -> dict[str, str]:
    """Return the colours of a scheme by their names."""
    found = re.findall(r"--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", STYLE)
    return {name: dark if scheme == "dark" else light for name, light, dark in found}


def light_of(colour: str) -> float:
    """Return the relative luminance of a colour, as WCAG 2 defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((light_of(one), light_of(other)))
    return (high + 0.05) / (low + 0.05)


def drawn(part: str) -> dict[str, str]:
    """Return what fills a part of a chart, and what it is outlined with, by the names of the colours."""
    (rule,) = re.findall(rf"\.bars \.{part} {{([^}}]*)}}", STYLE)
    return dict(re.findall(r"(fill|stroke): var\(--([a-z-]+)\)", rule))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_eligible_and_denied_differ_in_more_than_their_hue(scheme: str) -> None:
    colours, go, stop = tokens(scheme), drawn("go"), drawn("stop")
    assert contrast(colours[go["fill"]], colours[stop["fill"]]) >= ENOUGH
    for background in ("paper", "card"):
        for edge in (go["fill"], stop["stroke"]):
            assert contrast(colours[edge], colours[background]) >= ENOUGH
    assert contrast(colours["go"], colours["stop"]) < ENOUGH, "the control: the hues alone would not do"


def test_the_key_looks_like_what_it_stands_for() -> None:
    for part, seen in (("go", drawn("go")), ("stop", drawn("stop"))):
        (rule,) = re.findall(rf"\.key\.{part} {{([^}}]*)}}", STYLE)
        assert re.findall(r"var\(--([a-z-]+)\)", rule) == list(seen.values())


def numbers(chart: str, name: str) -> list[float]:
    return [float(each) for each in re.findall(rf'<rect[^>]* {name}="([\d.]+)', chart)]


def test_there_is_a_gap_between_the_parts_of_a_bar_and_none_before_the_first() -> None:
    held = {"a": (3, 7), "b": (0, 1), "c": (10_000, 1)}
    chart = bars("Items", [Bar(name, [("go", go), ("stop", stop)]) for name, (go, stop) in held.items()])
    assert re.findall(r"translate\((\d+) 0\)", chart) == ["3", "3"], "a part that is not there leaves no gap"
    starts, lengths = numbers(chart, "x"), numbers(chart, "width")
    assert all(start + length <= 98 for start, length in zip(starts, lengths, strict=True)), "with its gap it is inside"
    assert min(each for each in lengths if each) >= 0.5


def test_there_is_a_gap_between_the_parts_of_a_column() -> None:
    chart = columns("Items", [Bar("a", [("go", 3), ("stop", 7)]), Bar("b", [("go", 10), ("stop", 0)])])
    tops, heights = numbers(chart, "y"), numbers(chart, "height")
    assert tops[1] + heights[1] + 3 == pytest.approx(tops[0], abs=0.02)
    assert heights[0] + heights[1] == pytest.approx(heights[2], abs=0.02), "one scale, whatever gaps there are"
    assert min(tops) >= 0
