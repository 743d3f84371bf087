"""A small network, written to disk in any of the forms that Parquet has for it."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from consentry.bootstrap import Deployment, open_deployment
from consentry.corpus.registration import forget_earlier
from consentry.policy.library import shipped

Id = str | int | None
T = TypeVar("T")

CATEGORY_WORDS = {"status_update": "post", "pic": "image"}
LICENCES = ("CC BY-SA 4.0", "CC BY-SA 3.0", None, "all rights reserved ©")


@dataclass(frozen=True, slots=True, kw_only=True)
class RawItem:
    """One row of content, as the platform has it."""

    id: str | int
    author: Id
    category: str = "post"
    visibility: str = "public"
    created: int | None = None
    licence: str | None = None
    involves: tuple[Id, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RawPerson:
    """One row of the people table."""

    id: str | int
    country: str | None = "US"
    age: str | None = "adult"
    account: str | None = "active"
    same_as: Id = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """In which types the content is written."""

    ids: str = "string"
    created: str = "timestamp[us, UTC]"
    involves: str = "list"
    text: str = "string"
    rows_per_group: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a descriptor says that the words and times of the content mean."""

    categories: Mapping[str, str] = field(default_factory=lambda: CATEGORY_WORDS)
    visibilities: Mapping[str, str] = field(default_factory=dict)
    dated: bool = True
    hours_ahead: int = 0
    """How far the zone of times that name none is ahead of UTC."""


ID_TYPES: dict[str, pa.DataType] = {
    "string": pa.string(),
    "large_string": pa.large_string(),
    "dictionary": pa.dictionary(pa.int32(), pa.string()),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "uint64": pa.uint64(),
}
CREATED_TYPES: dict[str, pa.DataType] = {
    "timestamp[us, UTC]": pa.timestamp("us", "UTC"),
    "timestamp[ns, Europe/London]": pa.timestamp("ns", "Europe/London"),
    "timestamp[ms]": pa.timestamp("ms"),
    "date32": pa.date32(),
    "date64": pa.date64(),
    "seconds": pa.int64(),
    "none": pa.null(),
}
INVOLVES = ("none", "list", "large_list", "structs", "single")
TEXT_TYPES: dict[str, pa.DataType] = {
    "string": pa.string(),
    "large_string": pa.large_string(),
    "dictionary": pa.dictionary(pa.int8(), pa.string()),
}


def write_items(path: Path, items: Sequence[RawItem], form: Form = Form()) -> None:
    """Write one content file."""
    ids, text = ID_TYPES[form.ids], TEXT_TYPES[form.text]
    columns: dict[str, pa.Array] = {
        "id": pa.array([item.id for item in items], ids),
        "author_id": pa.array([item.author for item in items], ids),
        "kind": pa.array([item.category for item in items], text),
        "seen_by": pa.array([item.visibility for item in items], text),
        "rights": pa.array([item.licence for item in items], text),
        "words": pa.array([f"words of {item.id}" for item in items], pa.string()),
    }
    if form.created != "none":
        columns["made"] = _moments([item.created for item in items], form.created)
    if form.involves != "none":
        columns["mentions"] = _mentions([item.involves for item in items], form.involves, ids)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path, row_group_size=form.rows_per_group)


def _moments(created: Sequence[int | None], form: str) -> pa.Array:
    kind = CREATED_TYPES[form]
    if form == "seconds":
        return pa.array(created, kind)
    moments = [None if each is None else datetime.fromtimestamp(each, UTC) for each in created]
    if pa.types.is_date(kind):
        return pa.array([None if each is None else each.date() for each in moments], pa.date32()).cast(kind)
    if kind.tz is None:
        return pa.array([None if each is None else each.replace(tzinfo=None) for each in moments], kind)
    return pa.array(moments, kind)


def _mentions(involved: Sequence[tuple[Id, ...] | None], form: str, ids: pa.DataType) -> pa.Array:
    plain = ids.value_type if pa.types.is_dictionary(ids) else ids
    lists = [None if each is None else list(each) for each in involved]
    if form == "single":
        return pa.array([each[0] if each else None for each in lists], plain)
    if form == "structs":
        kind = pa.list_(pa.struct([("role", pa.string()), ("id", plain)]))
        return pa.array([None if e is None else [{"role": "quoted", "id": one} for one in e] for e in lists], kind)
    return pa.array(lists, pa.large_list(plain) if form == "large_list" else pa.list_(plain))


def as_stored(item: RawItem, form: Form, reading: Reading) -> RawItem:
    """Return what is left of an item once it is written in a form and read: single mentions lose the rest, say."""
    created = item.created
    if form.created == "none" or not reading.dated:
        created = None
    elif created is not None and form.created == "timestamp[ms]":
        created -= reading.hours_ahead * 3_600
    elif created is not None and form.created.startswith("date"):
        created = created // 86_400 * 86_400 + 86_399  # the last second of the day: no refusal of that day misses it
    involves = item.involves
    if form.involves == "none":
        involves = None
    elif form.involves == "single":
        involves = (involves[0],) if involves and involves[0] is not None else None
    category = reading.categories.get(item.category, item.category)
    visibility = reading.visibilities.get(item.visibility, item.visibility)
    return replace(item, category=category, visibility=visibility, created=created, involves=involves)


def descriptor(form: Form = Form(), *, name: str = "network", reading: Reading = Reading()) -> str:
    """Return the descriptor of a corpus in a form."""
    involves = {"none": "", "structs": 'involves = "mentions.id"'}.get(form.involves, 'involves = "mentions"')
    created = "" if form.created == "none" or not reading.dated else 'created = "made"'
    zone = f"Etc/GMT-{reading.hours_ahead}" if reading.hours_ahead else "UTC"
    return f"""
[corpus]
name = "{name}"
files = ["items/*.parquet"]
[columns]
item = "id"
author = "author_id"
category = "kind"
visibility = "seen_by"
licence = "rights"
text = "words"
{created}
{involves}
[created]
zone = "{zone}"
[visibilities]
{_words(reading.visibilities)}
[categories]
{_words(reading.categories)}
"""


def _words(mapping: Mapping[str, str]) -> str:
    return "\n".join(f'"{theirs}" = "{ours}"' for theirs, ours in mapping.items())


def write_corpus(
    folder: Path, files: Sequence[Sequence[RawItem]], form: Form = Form(), *, reading: Reading = Reading()
) -> Path:
    """Write a corpus folder and return its descriptor."""
    for number, items in enumerate(files):
        write_items(folder / "items" / f"{number}.parquet", items, form)
    target = folder / "corpus.toml"
    target.write_text(descriptor(form, reading=reading), "utf-8")
    return target


def write_people(folder: Path, people: Sequence[RawPerson]) -> Path:
    """Write a people folder and return its descriptor."""
    folder.mkdir(parents=True, exist_ok=True)
    kind = pa.int64() if people and isinstance(people[0].id, int) else pa.string()
    columns: dict[str, Any] = {
        "id": pa.array([person.id for person in people], kind),
        "country": pa.array([person.country for person in people], pa.string()),
        "age": pa.array([person.age for person in people], pa.string()),
        "state": pa.array([person.account for person in people], pa.string()),
        "main": pa.array([person.same_as for person in people], kind),
    }
    pq.write_table(pa.table(columns), folder / "people.parquet")
    target = folder / "people.toml"
    target.write_text(
        '[people]\nfiles = ["people.parquet"]\n[columns]\nperson = "id"\ncountry = "country"\nage = "age"\n'
        'account = "state"\nsame_as = "main"\n'
    )
    return target


def register_other_bytes(folder: Path, deployment: Deployment, items: Sequence[RawItem], *, kept: bool = True) -> None:
    """Register other items in the first file. Not kept is what was known of those before in homes restored in part."""
    write_items(folder / "items" / "0.parquet", items)
    deployment.control.statements.register_corpus(folder / "corpus.toml")
    if not kept:
        forget_earlier(deployment.control.desk.corpora, "network", wanted=())


@cache
def _empty_home() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="consentry-home-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    home = folder / "home"
    open_deployment(home).close()
    return home


def copy_home(target: Path) -> Path:
    """Put a fresh deployment at `target`: a copy is ten times quicker than a first start."""
    shutil.copytree(_empty_home(), target)
    return target


def quick_folder() -> str | None:
    """Return where files are quickest, for tests that are not about disks."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


@contextmanager
def fresh() -> Iterator[tuple[Path, Deployment]]:
    """Yield an empty folder and a fresh deployment in its `home`."""
    with tempfile.TemporaryDirectory(dir=quick_folder()) as name:
        deployment = open_deployment(copy_home(Path(name) / "home"))
        try:
            yield Path(name), deployment
        finally:
            deployment.close()


@cache
def _stage() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="consentry-stage-", dir=quick_folder()))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


_MADE: dict[Path, Any] = {}


@contextmanager
def made_once(make: Callable[[Path, Deployment], T]) -> Iterator[tuple[Path, Deployment, T]]:
    """Yield a folder, a deployment in its `home`, and what `make` returned that filled both.

    It is made once in a process and copied from then on. A deployment knows its content by where it is, so the copies
    stand in one place, one after the other; whoever wants one while another is there has one made elsewhere.
    """
    place, kept = _stage() / "place", _stage() / f"{make.__module__}.{make.__qualname__}"
    if place.exists():
        with fresh() as (folder, deployment):
            yield folder, deployment, make(folder, deployment)
        return
    try:
        if kept not in _MADE:
            place.mkdir()
            deployment = open_deployment(copy_home(place / "home"))
            try:
                _MADE[kept] = make(place, deployment)
            finally:
                deployment.close()
            place.rename(kept)
        shutil.copytree(kept, place)
        deployment = open_deployment(place / "home")
        try:
            yield place, deployment, _MADE[kept]
        finally:
            deployment.close()
    finally:
        shutil.rmtree(place, ignore_errors=True)


@contextmanager
def populated(
    files: Sequence[Sequence[RawItem]], people: Sequence[RawPerson], *policies: str
) -> Iterator[tuple[Path, Deployment]]:
    """Yield a folder and a fresh deployment that knows a corpus, its people and policy sets that are shipped."""
    with fresh() as (folder, deployment):
        deployment.control.statements.register_corpus(write_corpus(folder, files))
        deployment.control.statements.load_people(write_people(folder / "people", people))
        for name in policies:
            deployment.control.statements.publish(shipped()[name], name)
        yield folder, deployment
