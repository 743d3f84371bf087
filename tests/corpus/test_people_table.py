from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentry.corpus.classes import Residing
from consentry.corpus.descriptor import PeopleDescriptor, parse_people
from consentry.corpus.people import MISSING, PeopleIndex
from consentry.corpus.people_load import LoadReport, load_people, people_batches
from consentry.corpus.people_table import PeopleTable, load, save, unknown_people
from consentry.corpus.pseudonym import PseudonymKey, pseudonyms
from consentry.corpus.residence import Residence, Signals, resolve
from consentry.corpus.residence_codes import Resolver
from consentry.errors import IntegrityError, NotFoundError, PeopleError
from consentry.policy.evaluator import evaluate_person
from consentry.policy.expressions import Effect, Item, Person, Rule
from consentry.policy.vocabulary import ACCOUNTS, AGES, Account, Age, Category

KEY = PseudonymKey(bytes(range(32))).for_people()
NOW = int(datetime(2025, 6, 1, tzinfo=UTC).timestamp())
ALL_COLUMNS = """
[people]
files = ["people.parquet"]
[columns]
person = "id"
country = "country"
location = "town"
phone = "phone"
locale = "locale"
time_zone = "zone"
ip_country = "ip"
birth_year = "born"
account = "state"
same_as = "main"
[accounts]
"ok" = "active"
"gone" = "closed"
"""


def descriptor(text: str = ALL_COLUMNS) -> PeopleDescriptor:
    return parse_people(text)


def described(columns: str, rest: str = "") -> PeopleDescriptor:
    return parse_people(f'[people]\nfiles = ["people.parquet"]\n[columns]\n{columns}\n{rest}')


def run(
    folder: Path,
    rows: list[dict[str, Any]],
    form: PeopleDescriptor,
    schema: pa.Schema | None = None,
    size: int = 1000,
    resolver: Resolver = resolve,
) -> tuple[PeopleIndex, PeopleTable, LoadReport]:
    table = pa.Table.from_pylist(rows, schema=schema)
    index = PeopleIndex(folder)
    report = load_people(
        table.to_batches(max_chunksize=size),
        descriptor=form,
        index=index,
        key=KEY,
        resolver=resolver,
        folder=folder,
        at=NOW,
    )
    return index, load(folder, report.snapshot), report


def ordinal(index: PeopleIndex, person: str) -> int:
    return int(index.lookup(pseudonyms(KEY, pa.array([person])))[0])


def test_everything_a_table_says_is_kept(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"id": "ann", "country": "GB", "born": 1980, "state": "ok", "main": None, "zone": "America/New_York"},
        {"id": "bo", "country": None, "born": 2007, "state": "gone", "main": "ann", "zone": "Europe/Paris"},
        {"id": "cy", "country": "DE", "born": 1700, "state": "hmm", "main": "cy", "zone": None},
        {"id": None, "country": "DE", "born": 1990, "state": "ok", "main": None, "zone": None},
        {"id": "dee", "country": " ", "born": None, "state": None, "main": "elsewhere", "zone": None},
    ]
    for row in rows:
        row.update(town=None, phone=None, locale=None, ip=None)
    texts = ("id", "country", "town", "phone", "locale", "zone", "ip", "state", "main")
    schema = pa.schema([*((name, pa.string()) for name in texts), ("born", pa.int32())])
    index, table, report = run(tmp_path, rows, descriptor(), schema)
    assert (report.rows, report.nulls, report.unresolved) == (5, 1, 2)
    assert (report.unknown_ages, report.implausible_years, report.unknown_accounts, report.linked) == (2, 1, 2, 2)
    assert report.unknown_words == {"account": {"hmm": 1}}
    found = table.attributes(seats=len(index) + 1, at=NOW)
    said = {}
    for person in ("ann", "bo", "cy", "dee", "elsewhere"):
        seat = ordinal(index, person) + 1
        places, established = found.residences[int(found.residence[seat])]
        said[person] = (
            "+".join(sorted(places)), established, AGES[found.age[seat]].value,
            ACCOUNTS[found.account[seat]].value, bool(found.known[seat]),
        )  # fmt: skip
    assert said == {
        "ann": ("GB+US", True, "adult", "active", True),
        "bo": ("FR", False, "minor", "closed", True),
        "cy": ("DE", True, "unknown", "unclear", True),
        "dee": ("", False, "unknown", "unknown", True),
        "elsewhere": ("", False, "unknown", "unknown", False),
    }
    ann, bo, dee, away = (ordinal(index, person) + 1 for person in ("ann", "bo", "dee", "elsewhere"))
    pair, other = tuple(sorted((ann, bo))), tuple(sorted((dee, away)))
    assert table.linked() == {ann: pair, bo: pair, dee: other, away: other}


def test_na_is_no_country_unless_the_descriptor_says_so(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"id": "a", "c": "NA"}, {"id": "b", "c": "NAM"}, {"id": "c", "c": "Untied States"}]
    _, _, report = run(tmp_path / "column", rows, described('person = "id"\ncountry = "c"'))
    assert (report.unresolved, report.rare_countries) == (2, 1)
    assert report.unknown_words == {"country": {"NA": 1}}
    form = described('person = "id"', '[constants]\ncountry = "NA"')
    index, table, report = run(tmp_path / "constant", rows, form)
    assert (report.unresolved, report.unknown_words) == (0, {})
    found = table.attributes(seats=len(index) + 1, at=NOW)
    assert found.residences[int(found.residence[ordinal(index, "a") + 1])] == (frozenset({"NA"}), True)


def test_a_word_for_an_account_that_says_nothing_is_not_the_same_as_no_word(tmp_path: Path) -> None:
    form = described(
        'person = "id"\naccount = "state"', '[constants]\ncountry = "US"\nage = "adult"\n[accounts]\nok = "active"'
    )
    given_ = {"a": "ok", "b": "deleted", "c": "unknown", "d": None, "e": " ", "f": "closed"}
    rows: list[dict[str, Any]] = [{"id": person, "state": state} for person, state in given_.items()]
    index, table, report = run(tmp_path, rows, form)
    assert report.unknown_words == {"account": {"deleted": 1, " ": 1}}
    assert report.unknown_accounts == 4
    found = table.attributes(seats=len(index) + 1, at=NOW)
    permit = Rule(id="all", effect=Effect.PERMIT, why="Because.")
    answers = {}
    for person in given_:
        seat = ordinal(index, person) + 1
        places, established = found.residences[int(found.residence[seat])]
        somebody = Person(
            places=places, established=established, age=Age.ADULT, account=ACCOUNTS[int(found.account[seat])]
        )
        decision = evaluate_person([permit], somebody, item=Item(category=Category.POST), at=NOW)
        answers[person] = str(decision.primary)
    assert answers == {
        "a": "permitted:all",
        "b": "gap:account-unknown",
        "c": "gap:account-unknown",
        "d": "permitted:all",
        "e": "permitted:all",
        "f": "account-closed",
    }


def test_a_table_may_hold_ids_alone_and_constants(tmp_path: Path) -> None:
    form = described('person = "id"', '[constants]\ncountry = "FR"\nage = "adult"\naccount = "none"')
    index, table, report = run(tmp_path, [{"id": 7}, {"id": 8}], form)
    assert (report.rows, report.new, report.unresolved, report.unknown_ages) == (2, 2, 0, 0)
    assert table.residences[int(table.residence[ordinal(index, "7")])].places == {"FR"}
    assert [ACCOUNTS[code] for code in table.account.tolist()] == [Account.NONE, Account.NONE]
    assert (table.ages_at(NOW) == AGES.index(Age.ADULT)).all()
    bare = described('person = "id"')
    _, table, report = run(tmp_path, [{"id": 7}, {"id": 8}], bare)
    assert (report.new, report.unresolved, report.unknown_ages, report.unknown_accounts) == (0, 2, 2, 2)
    assert table.residences == (Residing(),)


def test_age_words_are_the_platforms(tmp_path: Path) -> None:
    form = described('person = "id"\nage = "age"', '[ages]\n"18+" = "adult"\n"teen" = "minor"')
    words = ["18+", "teen", "adult", "minor", "old", None, "unknown"]
    rows = [{"id": str(number), "age": word} for number, word in enumerate(words)]
    _, table, report = run(tmp_path, rows, form)
    ages = [AGES[code].value for code in table.ages_at(NOW).tolist()]
    assert ages == ["adult", "minor", "adult", "minor", "unknown", "unknown", "unknown"]
    assert report.unknown_words == {"age": {"old": 1}}
    assert report.unknown_ages == 3


@pytest.mark.parametrize(
    ("year", "age"),
    [(2005, "adult"), (2006, "adult"), (2007, "minor"), (2008, "minor"), (2025, "minor"), (1905, "adult")],
)
def test_who_turns_eighteen_this_year_is_a_minor_until_it_is_over(tmp_path: Path, year: int, age: str) -> None:
    _, table, _ = run(tmp_path, [{"id": "a", "y": year}], described('person = "id"\nbirth_year = "y"'))
    assert AGES[table.ages_at(NOW)[0]].value == age
    last = int(datetime(year + 18, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())
    assert AGES[table.ages_at(last)[0]] is Age.MINOR
    assert AGES[table.ages_at(last + 1)[0]] is Age.ADULT


@pytest.mark.parametrize("year", [0, 1, 2, 1904, 2026, -1, 70_000, 2**40, 2**63 - 1])
def test_an_implausible_year_is_unknown_and_counted(tmp_path: Path, year: int) -> None:
    _, table, report = run(tmp_path, [{"id": "a", "y": year}], described('person = "id"\nbirth_year = "y"'))
    assert AGES[table.ages_at(NOW)[0]] is Age.UNKNOWN
    assert (report.implausible_years, report.unknown_ages) == (1, 1)


def test_a_year_that_is_not_over_yet_at_the_time_asked_is_unknown(tmp_path: Path) -> None:
    _, table, _ = run(tmp_path, [{"id": "a", "y": 2020}], described('person = "id"\nbirth_year = "y"'))
    earlier = int(datetime(2019, 12, 31, tzinfo=UTC).timestamp())
    assert AGES[table.ages_at(earlier)[0]] is Age.UNKNOWN
    assert AGES[table.ages_at(NOW + 130 * 31_556_952)[0]] is Age.UNKNOWN


def test_a_new_load_replaces_what_was_known_and_keeps_ordinals(tmp_path: Path) -> None:
    form = described('person = "id"\ncountry = "c"')
    index, first, _ = run(tmp_path, [{"id": "a", "c": "GB"}, {"id": "b", "c": "US"}], form)
    _, second, report = run(tmp_path, [{"id": "c", "c": "FR"}, {"id": "b", "c": "DE"}], form)
    index.refresh()
    assert [ordinal(index, person) for person in "abc"] == [0, 1, 2]
    assert report.new == 1
    assert second.known.tolist() == [False, True, True]
    assert [sorted(second.residences[code].places) for code in second.residence.tolist()] == [[], ["DE"], ["FR"]]
    assert first.people == 2
    later = first.attributes(seats=4, at=NOW)
    assert later.known.tolist() == [False, True, True, False]


@pytest.mark.parametrize("size", [1, 2, 1000])
def test_an_id_that_occurs_twice_is_refused(tmp_path: Path, size: int) -> None:
    rows = [{"id": each} for each in ["person-1", "b", "person-1", None, "b", "b", None]]
    with pytest.raises(PeopleError) as caught:
        run(tmp_path, rows, described('person = "id"'), size=size)
    assert caught.value.code == "people-duplicate-id"
    assert "3 rows" in caught.value.message
    assert "`pe******` in row 3" in caught.value.message
    assert not list(tmp_path.glob("*.arrow"))


def test_a_resolver_is_asked_once_for_each_combination(tmp_path: Path) -> None:
    asked: Counter[Signals] = Counter()

    def counting(signals: Signals) -> Residence:
        asked[signals] += 1
        return resolve(signals)

    form = described('person = "id"\ncountry = "c"\ntime_zone = "z"')
    rng = np.random.default_rng(2)
    rows: dict[str, list[Any]] = {
        "id": [str(number) for number in range(3_000)],
        "c": [("GB", "US", None)[pick] for pick in rng.integers(0, 3, 3_000)],
        "z": [("Europe/Paris", None)[pick] for pick in rng.integers(0, 2, 3_000)],
    }
    batches = pa.table(rows).to_batches(max_chunksize=500)
    report = load_people(
        batches, descriptor=form, index=PeopleIndex(tmp_path), key=KEY, resolver=counting, folder=tmp_path, at=NOW
    )
    assert len(asked) == 6
    assert set(asked.values()) == {1}
    table = load(tmp_path, report.snapshot)
    for row in range(0, 3_000, 37):
        expected = resolve(Signals(country=rows["c"][row], time_zone=rows["z"][row]))
        assert table.residences[int(table.residence[row])] == (expected.places, expected.established)


def literal(signals: Signals) -> Residence:
    """Take each signal for a place named after it, so that no two combinations look alike."""
    given_signals = {role: getattr(signals, role) for role in ROLES}
    places = frozenset(f"{role}:{value}" for role, value in given_signals.items() if value is not None)
    return Residence(places=places, established=signals.country is not None, evidence=())


ROLES = ("country", "location", "phone", "locale", "time_zone", "ip_country")
SIGNAL = st.sampled_from([None, "", "GB", "US", "Paris", "de_DE", "Europe/Berlin", "+44 20 7946 0958", "?"])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(*[SIGNAL] * 6), min_size=1, max_size=30), st.integers(1, 10), st.booleans())
def test_each_person_gets_the_residence_of_their_signals(
    tmp_path_factory: pytest.TempPathFactory, people: list[tuple[str | None, ...]], size: int, encoded: bool
) -> None:
    folder = tmp_path_factory.mktemp("people")
    form = described('person = "id"\n' + "\n".join(f'{role} = "{role}"' for role in ROLES))
    kind = pa.dictionary(pa.int32(), pa.string()) if encoded else pa.string()
    schema = pa.schema([("id", pa.int64()), *((role, kind) for role in ROLES)])
    rows = [{"id": number, **dict(zip(ROLES, each, strict=True))} for number, each in enumerate(people)]
    _, table, _ = run(folder, rows, form, schema, size, literal)
    for number, each in enumerate(people):
        expected = literal(Signals(**dict(zip(ROLES, each, strict=True))))
        assert table.residences[int(table.residence[number])] == (expected.places, expected.established)


def test_files_are_read_a_batch_at_a_time(tmp_path: Path) -> None:
    form = described('person = "id"\ncountry = "c"')
    for number in range(2):
        ids = [f"{number}-{each}" for each in range(5)]
        pq.write_table(pa.table({"id": ids, "c": ["GB"] * 5, "secret": ["s"] * 5}), tmp_path / f"{number}.parquet")
    files = [tmp_path / "0.parquet", tmp_path / "1.parquet"]
    batches = people_batches(files, form)
    assert isinstance(batches, Iterator)
    seen: list[int] = []
    report = load_people(
        batches,
        descriptor=form,
        index=PeopleIndex(tmp_path / "people"),
        key=KEY,
        resolver=resolve,
        folder=tmp_path / "people",
        at=NOW,
        progress=seen.append,
    )
    assert report.rows == 10
    assert seen == [5, 5]
    assert all("secret" not in batch.schema.names for batch in people_batches(files, form))


def test_bad_files_are_refused(tmp_path: Path) -> None:
    form = described('person = "id"\ncountry = "c"')
    pq.write_table(pa.table({"id": ["a"] * 1000, "c": ["GB"] * 1000}), tmp_path / "good.parquet")
    whole = (tmp_path / "good.parquet").read_bytes()
    bad = tmp_path / "bad.parquet"
    cases = {"people-not-parquet": [b"", b"hello", whole[: len(whole) // 2], whole[:-1]]}
    for code, contents in cases.items():
        for content in contents:
            bad.write_bytes(content)
            with pytest.raises(PeopleError) as caught:
                list(people_batches([bad], form))
            assert caught.value.code == code
    for code, table in {
        "people-missing-column": pa.table({"id": ["a"]}),
        "people-wrong-type": pa.table({"id": [1.5], "c": ["GB"]}),
    }.items():
        pq.write_table(table, bad)
        with pytest.raises(PeopleError) as caught:
            list(people_batches([bad], form))
        assert caught.value.code == code


def test_a_snapshot_is_checked_when_it_is_read(tmp_path: Path) -> None:
    _, table, report = run(tmp_path, [{"id": "a", "c": "GB"}], described('person = "id"\ncountry = "c"'))
    assert save(table, tmp_path) == report.snapshot
    path = next(tmp_path.glob("table-*.arrow"))
    content = path.read_bytes()
    path.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    with pytest.raises(IntegrityError) as caught:
        load(tmp_path, report.snapshot)
    assert caught.value.code == "people-table-damaged"
    path.unlink()
    with pytest.raises(NotFoundError) as missing:
        load(tmp_path, report.snapshot)
    assert missing.value.code == "people-table-missing"


def test_without_a_table_nobody_is_known() -> None:
    found = unknown_people(seats=3)
    assert found.seats == 3
    assert not found.known.any()
    assert found.residences == (Residing(),)


def test_an_empty_table_is_a_table(tmp_path: Path) -> None:
    schema = pa.schema([("id", pa.string()), ("c", pa.string())])
    index, table, report = run(tmp_path, [], described('person = "id"\ncountry = "c"'), schema)
    assert (len(index), table.people, report.rows) == (0, 0, 0)
    assert table.linked() == {}
    assert table.same_as.tolist() == []
    assert MISSING not in table.attributes(seats=1, at=NOW).residence


def test_chains_of_links_are_one_person(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"id": "a", "m": "b"},
        {"id": "b", "m": "c"},
        {"id": "x", "m": "c"},
        {"id": "y", "m": None},
    ]
    index, table, _ = run(tmp_path, rows, described('person = "id"\nsame_as = "m"'))
    group = tuple(sorted(ordinal(index, each) + 1 for each in ("a", "b", "c", "x")))
    assert table.linked() == dict.fromkeys(group, group)
