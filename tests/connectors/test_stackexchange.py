from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import pyarrow.parquet as pq
import pytest

from consentry.connectors.stackexchange.convert import Summary, convert
from consentry.corpus.descriptor import check_schema, parse_corpus, parse_people, resolve_files
from consentry.errors import CorpusError
from consentry.policy.vocabulary import Age, Category
from real_dump import dump
from skips import NOT_LINUX

DAY = "2012-03-04T05:06:07.890"
FILES = ("Comments.xml", "PostHistory.xml", "Posts.xml", "Users.xml")

Row = dict[str, str]


def write_xml(path: Path, root: str, rows: Sequence[Row]) -> None:
    lines = ["<row " + " ".join(f"{key}={quoteattr(value)}" for key, value in row.items()) + " />" for row in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    text = '<?xml version="1.0" encoding="utf-8"?>\n' + "\n".join([f"<{root}>", *lines, f"</{root}>"])
    path.write_text(text, encoding="utf-8-sig")


def write_site(
    folder: Path,
    *,
    posts: Sequence[Row] = (),
    history: Sequence[Row] = (),
    comments: Sequence[Row] = (),
    users: Sequence[Row] = (),
) -> Path:
    write_xml(folder / "Posts.xml", "posts", posts)
    write_xml(folder / "PostHistory.xml", "posthistory", history)
    write_xml(folder / "Comments.xml", "comments", comments)
    write_xml(folder / "Users.xml", "users", users)
    return folder


def post(number: int, **more: str) -> dict[str, str]:
    given = {"Id": str(number), "PostTypeId": "1", "CreationDate": DAY, "Body": "<p>x</p>", "OwnerUserId": "5"}
    return {key: value for key, value in (given | more).items() if value}


def history(number: int, kind: int = 5, **more: str) -> dict[str, str]:
    return {"Id": "1", "PostHistoryTypeId": str(kind), "PostId": str(number), "CreationDate": DAY} | more


def user(number: int, **more: str) -> dict[str, str]:
    return {"Id": str(number), "CreationDate": DAY, "LastAccessDate": DAY, "DisplayName": "somebody"} | more


def items(folder: Path) -> dict[str, dict[str, Any]]:
    rows = [row for path in sorted((folder / "items").iterdir()) for row in pq.read_table(path).to_pylist()]
    assert len({row["id"] for row in rows}) == len(rows)
    return {row["id"]: row for row in rows}


def involved(tmp_path: Path, *, posts: Sequence[Row], edits: Sequence[Row]) -> list[str | None]:
    site = write_site(tmp_path / "dump" / "s", posts=posts, history=edits)
    convert(site, tmp_path / "corpus")
    (row,) = items(tmp_path / "corpus").values()
    found: list[str | None] = row["involves"]
    return found


def test_a_dump_becomes_a_corpus_that_its_descriptors_describe(tmp_path: Path) -> None:
    site = write_site(
        tmp_path / "cooking",
        posts=[post(1, Title="Soup?", ContentLicense="CC BY-SA 3.0"), post(2, PostTypeId="2", OwnerUserId="6")],
        comments=[{"Id": "9", "PostId": "1", "Text": "hm & so", "CreationDate": DAY, "UserId": "6"}],
        users=[user(-1, AboutMe="not a person"), user(5, Location="Lyon, France", AboutMe="I cook"), user(6)],
    )
    summary = convert(site, tmp_path / "corpus")
    folder = tmp_path / "corpus"
    corpus = parse_corpus((folder / "corpus.toml").read_text())
    for path in resolve_files(corpus, folder):
        check_schema(corpus, pq.read_schema(path), filename=path.name)
    people = parse_people((folder / "people.toml").read_text())
    check_schema(people, pq.read_schema(folder / "people.parquet"), filename="people.parquet")
    found = items(folder)
    assert found["cooking:post:1"] == {
        "id": "cooking:post:1",
        "author": "cooking:5",
        "involves": [],
        "kind": "question",
        "created": datetime(2012, 3, 4, 5, 6, 7, 890_000, tzinfo=UTC),
        "licence": "CC BY-SA 3.0",
        "text": "Soup?\n\n<p>x</p>",
        "site": "cooking",
    }
    assert found["cooking:post:2"]["author"] == "cooking:6"
    assert found["cooking:comment:9"]["text"] == "hm & so"
    assert found["cooking:profile:5"]["kind"] == "profile"
    assert set(found) == {"cooking:post:1", "cooking:post:2", "cooking:comment:9", "cooking:profile:5"}
    assert pq.read_table(folder / "people.parquet").to_pylist() == [
        {"id": "cooking:5", "location": "Lyon, France", "main_account": None},
        {"id": "cooking:6", "location": None, "main_account": None},
    ]
    assert (summary.people, sum(summary.items.values()), summary.without_owner) == (2, 4, 0)
    assert people.constants == {"account": "active"}


@pytest.mark.parametrize(
    "owner", [{"OwnerUserId": ""}, {"OwnerUserId": "", "OwnerDisplayName": "user1"}, {"OwnerUserId": "-1"}]
)
def test_a_post_of_a_deleted_author_or_a_program_has_no_owner(tmp_path: Path, owner: dict[str, str]) -> None:
    summary = convert(write_site(tmp_path / "s", posts=[post(1, **owner)]), tmp_path / "corpus")
    assert items(tmp_path / "corpus")["s:post:1"]["author"] is None
    assert summary.without_owner == 1


def test_a_comment_without_a_user_has_no_owner(tmp_path: Path) -> None:
    comments = [
        {"Id": "1", "PostId": "1", "Text": "a", "CreationDate": DAY, "UserDisplayName": "user1"},
        {"Id": "2", "PostId": "1", "Text": "b", "CreationDate": DAY, "UserId": "-1"},
    ]
    convert(write_site(tmp_path / "s", comments=comments), tmp_path / "corpus")
    assert [row["author"] for row in items(tmp_path / "corpus").values()] == [None, None]


def test_everybody_whose_words_are_in_a_post_is_involved_once(tmp_path: Path) -> None:
    edits = [history(1, kind, UserId=who) for kind, who in [(2, "5"), (4, "7"), (5, "7"), (6, "8"), (8, "9"), (5, "5")]]
    assert involved(tmp_path, posts=[post(1, LastEditorUserId="11")], edits=edits) == ["s:7", "s:8", "s:9", "s:11"]


def test_votes_and_closures_put_no_words_into_a_post(tmp_path: Path) -> None:
    edits = [history(1, kind, UserId="7") for kind in (10, 12, 13, 19, 25, 36, 50, 52)]
    assert involved(tmp_path, posts=[post(1)], edits=edits) == []


def test_an_edit_by_a_program_involves_nobody(tmp_path: Path) -> None:
    assert involved(tmp_path, posts=[post(1, LastEditorUserId="-1")], edits=[history(1, UserId="-1")]) == []


@pytest.mark.parametrize("edit", [{"UserDisplayName": "user3"}, {}])
def test_an_edit_by_nobody_known_is_a_gap(tmp_path: Path, edit: dict[str, str]) -> None:
    assert involved(tmp_path, posts=[post(1)], edits=[history(1, 5, **edit), history(1, UserId="7")]) == ["s:7", None]


def test_a_last_editor_with_only_a_name_is_a_gap(tmp_path: Path) -> None:
    assert involved(tmp_path, posts=[post(1, LastEditorDisplayName="user3")], edits=[]) == [None]


def test_the_proposer_of_a_suggested_edit_is_involved_not_the_approver(tmp_path: Path) -> None:
    edit = history(1, 24, Comment="Proposed by 77 approved by 5, 6 edit id of 3")
    assert involved(tmp_path, posts=[post(1)], edits=[edit]) == ["s:77"]


@pytest.mark.parametrize(
    "comment",
    [
        {"Comment": "Proposed by -1 approved by 6 edit id of 3"},
        {"Comment": f"Proposed by {1 << 63} approved by 6 edit id of 3"},
        {"Comment": f"Proposed by -{'9' * 5_000} approved by 6 edit id of 3"},
        {"Comment": "Proposed by ١٢ approved by 6 edit id of 3"},
        {},
    ],
)
def test_a_suggested_edit_of_nobody_known_is_a_gap(tmp_path: Path, comment: dict[str, str]) -> None:
    assert involved(tmp_path, posts=[post(1)], edits=[history(1, 24, **comment)]) == [None]


def test_histories_of_posts_and_sites_are_kept_apart(tmp_path: Path) -> None:
    write_site(tmp_path / "dump/a", posts=[post(1), post(2)], history=[history(2, UserId="7")])
    write_site(tmp_path / "dump/b", posts=[post(2)], history=[history(1, UserId="8")])
    summary = convert(tmp_path / "dump", tmp_path / "corpus")
    assert summary.sites == ["a", "b"]
    found = {key: row["involves"] for key, row in items(tmp_path / "corpus").items()}
    assert found == {"a:post:1": [], "a:post:2": ["a:7"], "b:post:2": []}


def test_accounts_of_one_person_on_several_sites_are_linked(tmp_path: Path) -> None:
    write_site(tmp_path / "dump/a", users=[user(1, AccountId="900"), user(2, AccountId="-1"), user(3)])
    write_site(tmp_path / "dump/b", users=[user(1, AccountId="901"), user(2, AccountId="900"), user(3, AccountId="-1")])
    summary = convert(tmp_path / "dump", tmp_path / "corpus")
    rows = pq.read_table(tmp_path / "corpus/people.parquet").to_pylist()
    assert {row["id"]: row["main_account"] for row in rows if row["main_account"]} == {"b:2": "a:1"}
    assert (summary.linked_accounts, summary.people) == (1, 6)


def test_a_post_type_nobody_knows_is_in_no_category(tmp_path: Path) -> None:
    kinds = {"1": "question", "5": "tag-wiki", "17": "post-type-17"}
    posts = [post(int(kind), PostTypeId=kind) for kind in kinds]
    convert(write_site(tmp_path / "s", posts=posts), tmp_path / "corpus")
    found = items(tmp_path / "corpus")
    assert [found[f"s:post:{kind}"]["kind"] for kind in kinds] == list(kinds.values())
    corpus = parse_corpus((tmp_path / "corpus/corpus.toml").read_text())
    assert corpus.categories["tag-wiki"] is Category.ARTICLE
    assert "post-type-17" not in corpus.categories


def test_what_the_converter_vouches_for_is_in_the_people_descriptor(tmp_path: Path) -> None:
    convert(write_site(tmp_path / "s"), tmp_path / "corpus", age=Age.ADULT)
    assert parse_people((tmp_path / "corpus/people.toml").read_text()).constants["age"] == "adult"


def test_progress_counts_rows_and_the_same_dump_gives_the_same_bytes(tmp_path: Path) -> None:
    site = write_site(tmp_path / "s", posts=[post(1), post(2)], history=[history(1, UserId="7")], users=[user(5)])
    seen: list[int] = []
    convert(site, tmp_path / "one", progress=seen.append)
    convert(site, tmp_path / "two")
    assert sum(seen) == 4
    for path in (tmp_path / "one").rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()


def refused(dump: Path, tmp_path: Path) -> CorpusError:
    before = sorted(tmp_path.iterdir())
    with pytest.raises(CorpusError) as caught:
        convert(dump, tmp_path / "corpus")
    assert sorted(tmp_path.iterdir()) == before, "a refused dump must leave nothing behind"
    assert caught.value.help
    return caught.value


@pytest.mark.parametrize("file", FILES)
def test_a_missing_file_is_named(tmp_path: Path, file: str) -> None:
    site = write_site(tmp_path / "s")
    (site / file).unlink()
    error = refused(site, tmp_path)
    assert error.code == "corpus-missing-file"
    assert file in error.message


def test_a_folder_without_a_dump_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path / "nowhere", tmp_path).code == "corpus-no-dump"


@pytest.mark.parametrize("file", FILES)
def test_a_file_cut_short_is_refused_with_its_line(tmp_path: Path, file: str) -> None:
    site = write_site(tmp_path / "s", posts=[post(1)], history=[history(1)], comments=[], users=[user(5)])
    text = (site / file).read_text(encoding="utf-8-sig")
    (site / file).write_text(text[:-4])
    error = refused(site, tmp_path)
    assert error.code == "corpus-bad-xml"
    assert error.where == f"{site / file}:{text.count(chr(10)) + 1}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not xml",
        "<users></users>",
        '<posts><row Id="1" Id="2"/></posts>',
        "<posts>&undefined;</posts>",
        '<!DOCTYPE posts [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><posts>&b;</posts>',
        '<!DOCTYPE posts SYSTEM "file:///etc/passwd"><posts></posts>',
    ],
)
def test_what_is_not_a_dump_file_is_refused(tmp_path: Path, text: str) -> None:
    site = write_site(tmp_path / "s")
    (site / "Posts.xml").write_text(text)
    assert refused(site, tmp_path).code == "corpus-bad-xml"


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (post(1, CreationDate=""), "corpus-missing-attribute"),
        (post(1, PostTypeId=""), "corpus-missing-attribute"),
        (post(1, CreationDate="yesterday"), "corpus-bad-attribute"),
        (post(1, OwnerUserId="me"), "corpus-bad-attribute"),
        (post(1, Id="one"), "corpus-bad-attribute"),
        (post(1, Id=str(1 << 63)), "corpus-bad-attribute"),
        (post(1, OwnerUserId="-" + "9" * 30), "corpus-bad-attribute"),
        (post(1, LastEditorUserId=str(1 << 64)), "corpus-bad-attribute"),
        (post(1, Id="1_0"), "corpus-bad-attribute"),
        (post(1, Id="١٢"), "corpus-bad-attribute"),
        (post(1, Id=" 1"), "corpus-bad-attribute"),
        ({"PostTypeId": "1"}, "corpus-missing-attribute"),
    ],
)
def test_a_row_that_lacks_something_is_refused_with_its_line(tmp_path: Path, row: dict[str, str], code: str) -> None:
    site = write_site(tmp_path / "s", posts=[post(7), row])
    error = refused(site, tmp_path)
    assert (error.code, error.where) == (code, f"{site / 'Posts.xml'}:4")


PEAK = r"""
import re, sys
from pathlib import Path
from consentry.connectors.stackexchange.convert import convert
convert(Path(sys.argv[1]), Path(sys.argv[2]))
print(int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason=NOT_LINUX)
def test_memory_does_not_grow_with_the_files(tmp_path: Path) -> None:
    peaks, sizes = [], []
    for size in (2_000, 40_000):
        body = "word " * 200
        posts = [post(number, Body=body, LastEditorUserId="6") for number in range(size)]
        edits = [history(number, UserId=str(number % 97)) for number in range(size)]
        comments = [
            {"Id": str(number), "PostId": str(number), "Text": body, "UserId": str(number % 97), "CreationDate": DAY}
            for number in range(size)
        ]
        users = [user(number, AboutMe=body) for number in range(1, size + 1)]
        site = write_site(tmp_path / str(size), posts=posts, history=edits, comments=comments, users=users)
        out = tmp_path / f"corpus-{size}"
        command = [sys.executable, "-c", PEAK, str(site), str(out)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        peaks.append(int(done.stdout))
        sizes.append([(site / name).stat().st_size >> 20 for name in ("Posts.xml", "Comments.xml", "Users.xml")])
    assert min(after - before for before, after in zip(*sizes, strict=True)) > 35
    assert peaks[1] - peaks[0] < 25, f"peaks {peaks} MiB for files of {sizes} MiB"


def made_up(folder: Path) -> Path:
    """Make a dump with what real ones have: authors who are gone, edits by others, a program, profiles."""
    return write_site(
        folder,
        posts=[post(number, OwnerUserId="" if number % 40 == 0 else str(number % 30)) for number in range(1, 400)],
        history=[history(number, UserId=str(number % 7)) for number in range(1, 400, 3)],
        comments=[
            {"Id": str(number), "PostId": "1", "Text": "x", "CreationDate": DAY, "UserId": str(number % 30)}
            for number in range(200)
        ],
        users=[user(-1), *(user(number, AboutMe="I" if number % 2 else "") for number in range(30))],
    )


@pytest.mark.parametrize("real", [True, False])
def test_a_real_dump_and_one_made_up_become_a_corpus(tmp_path: Path, real: bool) -> None:
    """Where there is no real one, both are made up."""
    folder = (dump() if real else None) or made_up(tmp_path / "site")
    summary: Summary = convert(folder, tmp_path / "corpus")
    corpus = parse_corpus((tmp_path / "corpus/corpus.toml").read_text())
    files = resolve_files(corpus, tmp_path / "corpus")
    rows = sum(pq.ParquetFile(path).metadata.num_rows for path in files)
    assert rows == sum(summary.items.values()) > 0
    assert pq.ParquetFile(tmp_path / "corpus/people.parquet").metadata.num_rows == summary.people > 0
    people = set(pq.read_table(tmp_path / "corpus/people.parquet").column("id").to_pylist())
    authors = [row["author"] for row in items(tmp_path / "corpus").values()]
    assert authors.count(None) == summary.without_owner
    assert sum(author in people for author in authors) > 0.9 * len(authors)


def test_a_community_wiki_is_counted_and_involves_everybody_who_wrote(tmp_path: Path) -> None:
    """It is its owner's all the same: what they refuse is left out, and what each other writer refuses."""
    wiki = post(1, CommunityOwnedDate=DAY, LastEditorUserId="-1")
    edits = [history(1, kind=2, UserId="5"), history(1, UserId="6"), history(1, UserId="7")]
    site = write_site(tmp_path / "dump" / "s", posts=[wiki, post(2)], history=edits)
    assert convert(site, tmp_path / "corpus").community_wiki == 1
    found = items(tmp_path / "corpus")
    assert found["s:post:1"]["author"] == found["s:post:2"]["author"]
    assert len(found["s:post:1"]["involves"]) == 2
    assert not found["s:post:2"]["involves"]
