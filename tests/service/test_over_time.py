"""The overview over time: what releases held, one after the other, by country, category and reason."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

import pytest

from consentry.charts import Bar, columns
from consentry.ledger.oversight_events import Origin
from consentry.oversight.order import Scope
from consentry.policy.vocabulary import Purpose
from consentry.service.pages.console_counts import counts_of, over_time
from consentry.service.site import environment
from service.at_work import POLICY
from service.staff import Office, office
from service.visitor import words


@pytest.fixture(scope="module")
def place() -> Iterator[Office]:
    """Two releases, between which the use was suspended in Brazil."""
    with office() as made:
        control = made.deployment.control
        control.orders.suspend(
            Scope(areas=frozenset({"BR"})), case="br-1", origin=Origin.OWN_DECISION, reference="letter", by="olga"
        )
        control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY)
        yield made


def test_each_split_has_what_every_release_held(place: Office) -> None:
    control = place.deployment.control
    (use,) = over_time(control, partial(counts_of, control))
    assert (use["corpus"], use["purpose"]) == ("network", "train-genai")
    counted = [counts_of(control, name) for name in control.releases.sealed()]
    assert use["releases"] == counted
    by_kind = {split["kind"]: split["rows"] for split in use["splits"]}
    assert list(by_kind) == ["whole", "places", "categories", "reasons"]
    brazil = next(row for row in by_kind["places"] if row["name"] == "BR")
    assert brazil["held"] == [(1, 0), (0, 1)]
    suspended = next(row for row in by_kind["reasons"] if row["name"].startswith("suspended"))
    assert suspended["held"] == [(0, 0), (0, 1)]
    for kind in ("whole", "places", "categories"):
        for at, release in enumerate(counted):
            assert sum(sum(row["held"][at]) for row in by_kind[kind]) == release["items"]


def test_each_chart_has_its_table_beside_it(place: Office) -> None:
    text = place.visitor("audrey").get("/console/overview").text.partition("Over time: network")[2]
    tables = re.findall(r"<caption>([^<]*)</caption>", text)
    assert tables == [
        "All items: eligible / denied",
        "By country: eligible / denied",
        "By category: eligible / denied",
        "By reason: why items are left out: denied",
    ]
    assert len(re.findall(r'<svg role="img"', text)) >= 4
    assert "Brazil" in text
    assert "1 / 0" in words(place.visitor("audrey").get("/console/overview"))


def test_languages_are_offered_where_a_page_can_be_had_in_them(place: Office) -> None:
    visitor = place.visitor("audrey")
    for path in ("/console/overview", "/console/acts", "/docs"):
        assert "hreflang=" not in visitor.get(path).text
    for path in ("/transparency", "/object", "/console/nowhere-at-all"):
        assert visitor.get(path).text.count("hreflang=") == 6


def test_a_release_that_cannot_be_read_is_left_out_and_one_alone_is_no_time() -> None:
    with office() as own:
        counts = partial(counts_of, own.deployment.control)
        assert over_time(own.deployment.control, counts) == []
        own.deployment.control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY)
        assert len(over_time(own.deployment.control, counts)) == 1
        for path in (own.deployment.settings.home / "releases" / own.release).glob("*.json"):
            path.chmod(0o600)
            path.write_bytes(b"{}")
        assert over_time(own.deployment.control, counts) == []
        assert own.visitor("audrey").get("/console/overview").status_code == 200


def test_columns_stand_on_each_other_and_to_one_scale() -> None:
    drawn = columns(
        "Posts <over> time", [Bar("May", [("go", 30), ("stop", 10)]), Bar("June", [("go", 0), ("stop", 20)])]
    )
    assert "<title>Posts &lt;over&gt; time</title>" in drawn
    boxes = re.findall(r'<rect class="(\w+)" x="([\d.]+)%" y="([\d.]+)" width="([\d.]+)%" height="([\d.]+)"', drawn)
    assert [(name, float(x), float(y), float(height)) for name, x, y, _, height in boxes] == [
        ("go", 0, 21, 54),
        ("stop", 0, 0, 18),
        ("go", 50, 75, 0),
        ("stop", 50, 39, 36),
    ], "three pixels between two parts, and one ground"
    assert drawn.count("<text") == 2
    assert "<rect" not in columns("nothing", [])
    assert columns("one", [Bar("May", [("go", 1)])]).count("<text") == 1


def test_a_name_is_escaped_once_where_it_is_drawn() -> None:
    macro = "{% macro name() %}{{ 'Bosnia & <b>' }}{% endmacro %}"
    for chart in ("bars", "columns"):
        text = (
            environment("en").from_string(f"{macro}{{{{ [(name(), [('go', 1)])] | {chart}(name(), 'x') }}}}").render()
        )
        assert text.count("Bosnia &amp; &lt;b&gt;") == 2
        assert "amp;amp" not in text
