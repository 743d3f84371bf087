"""A dump becomes a corpus: one folder a site, or a folder of such folders.

| file | becomes |
|---|---|
| `Posts.xml` | an item a question, answer or tag wiki: title and body |
| `Comments.xml` | an item a comment |
| `Users.xml` | a person a user; an item (`profile`) where somebody wrote about themselves |
| `PostHistory.xml` | who else's words are in a post |

Rules:

* A person is `site:UserId`. Accounts on several sites with one `AccountId` are linked to the first of them.
* A post or comment without a user id (a deleted author), or owned by the Community user (-1), has no known owner: gap.
* Everybody who wrote or edited the title, body or tags of a post is involved in it: the last editor, every editor in
  the history and the proposer of a suggested edit. Edits by the Community user are a program's and involve nobody; an
  edit it stands in for (proposed by somebody without an account) and one that carries only a name involve somebody
  unknown: a null among the involved people, which is a gap.
* A post was created at its `CreationDate`, whoever edited it later. The dump does not say when a profile text was
  written; its item carries the latest time it can have been, the user's `LastAccessDate`.
* Display names, web sites, picture addresses and votes are left behind. The dump says nothing of anybody's age.

The files are read as a stream, and what the history says is kept in a temporary database on disk: memory grows neither
with the posts nor with the users.
"""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from consentry.connectors.stackexchange.dump import Row, read_rows, whole
from consentry.corpus.descriptor import CorpusDescriptor, PeopleDescriptor
from consentry.corpus.folder import ITEMS, PEOPLE_FILE, RowWriter, new_folder, write_descriptors
from consentry.errors import CorpusError
from consentry.policy.vocabulary import Age, Category

Progress = Callable[[int], None]

COMMUNITY = -1
"""The user that programs act as."""

POST_KINDS: Mapping[str, str] = {
    "1": "question",
    "2": "answer",
    "3": "orphaned-tag-wiki",
    "4": "tag-wiki-excerpt",
    "5": "tag-wiki",
    "6": "moderator-nomination",
    "7": "wiki-placeholder",
    "8": "privilege-wiki",
}
"""What `PostTypeId` means. Other numbers become `post-type-N`, which is in no category: a gap."""

CATEGORIES: Mapping[str, Category] = {
    "question": Category.POST,
    "answer": Category.POST,
    "moderator-nomination": Category.POST,
    "orphaned-tag-wiki": Category.ARTICLE,
    "tag-wiki-excerpt": Category.ARTICLE,
    "tag-wiki": Category.ARTICLE,
    "wiki-placeholder": Category.ARTICLE,
    "privilege-wiki": Category.ARTICLE,
}

_WRITING = frozenset(str(kind) for kind in range(1, 10))
"""History kinds that put words into a post: initial, edited and rolled-back title, body and tags."""
_SUGGESTED_EDIT = "24"
_PROPOSER = re.compile(r"Proposed by (-?\d+)\b")
_SOMEBODY = 0
"""Stands for an unknown contributor in the temporary database; no user has this id."""

_FILES = {"Users.xml": "users", "PostHistory.xml": "posthistory", "Posts.xml": "posts", "Comments.xml": "comments"}

_ITEM_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("author", pa.string()),
        ("involves", pa.list_(pa.string())),
        ("kind", pa.string()),
        ("created", pa.timestamp("ms", tz="UTC")),
        ("licence", pa.string()),
        ("text", pa.string()),
        ("site", pa.string()),
    ]
)
_PEOPLE_SCHEMA = pa.schema([("id", pa.string()), ("location", pa.string()), ("main_account", pa.string())])


@dataclass(slots=True)
class Summary:
    """What was in the dump."""

    sites: list[str] = field(default_factory=list)
    items: Counter[str] = field(default_factory=Counter)
    """By kind."""
    people: int = 0
    without_owner: int = 0
    with_involved: int = 0
    with_unknown_contributor: int = 0
    community_wiki: int = 0
    linked_accounts: int = 0
    licences: Counter[str] = field(default_factory=Counter)

    def report(self) -> Mapping[str, str | int]:
        """Return everything by its name, as people read it."""
        return {
            "sites": ", ".join(self.sites),
            "people": self.people,
            "linked accounts": self.linked_accounts,
            "items": self.items.total(),
            **{f"items: {kind}": count for kind, count in self.items.most_common()},
            "without an owner": self.without_owner,
            "involving others": self.with_involved,
            "with an unknown contributor": self.with_unknown_contributor,
            "community wiki": self.community_wiki,
            **{f"licence: {licence or 'none'}": count for licence, count in self.licences.most_common()},
        }


def convert(
    dump: Path, folder: Path, *, name: str = "stackexchange", age: Age = Age.UNKNOWN, progress: Progress | None = None
) -> Summary:
    """Turn a dump into a corpus folder.

    Args:
        dump: a site's folder, or a folder of sites.
        folder: the corpus folder to write; must not exist.
        name: the corpus's name.
        age: what whoever converts vouches for: the age of everybody in the dump, which itself says nothing.
        progress: called with the number of rows read since the last call.

    Raises:
        CorpusError: a file is missing, is not the XML it should be, or lacks what every row has.
    """
    sites = _sites(dump)
    summary = Summary(sites=[site.name for site in sites])
    with new_folder(folder) as staged:
        notes_path = staged / ".notes.db"
        with closing(_open_notes(notes_path)) as notes, RowWriter(staged / PEOPLE_FILE, _PEOPLE_SCHEMA) as people:
            for site in sites:
                _Site(site, staged / ITEMS, notes, people, summary, progress).convert()
            summary.people = people.rows
        notes_path.unlink()
        write_descriptors(staged, corpus=_corpus(name), people=_people(age))
    return summary


def _corpus(name: str) -> CorpusDescriptor:
    roles = ("author", "involves", "created", "licence", "text")
    return CorpusDescriptor(
        name=name,
        files=(f"{ITEMS}/*.parquet",),
        columns={"item": "id", "category": "kind"} | {role: role for role in roles},
        constants={"visibility": "public"},
        created_zone=None,
        categories=dict(CATEGORIES),
        visibilities={},
    )


def _people(age: Age) -> PeopleDescriptor:
    return PeopleDescriptor(
        files=(PEOPLE_FILE,),
        columns={"person": "id", "location": "location", "same_as": "main_account"},
        constants={"account": "active"} | ({"age": str(age)} if age is not Age.UNKNOWN else {}),
        ages={},
        accounts={},
    )


def _sites(dump: Path) -> list[Path]:
    """Return the site folders, each checked to be complete."""
    if any((dump / file).is_file() for file in _FILES):
        sites = [dump.resolve()]
    else:
        sites = sorted(path.parent for path in dump.glob("*/Posts.xml"))
    if not sites:
        raise CorpusError(
            "corpus-no-dump",
            f"there is no site in `{dump}`",
            help=f"name a folder with {', '.join(sorted(_FILES))}, or a folder of such folders",
        )
    for site in sites:
        for file in _FILES:
            if not (site / file).is_file():
                raise CorpusError(
                    "corpus-missing-file",
                    f"`{site.name}` has no `{file}`",
                    help="unpack the whole archive of the site; only the history says whose words a post holds",
                )
    return sites


def _open_notes(path: Path) -> sqlite3.Connection:
    """Open the temporary database: who contributed to which post, and the first person of each account."""
    notes = sqlite3.connect(path, isolation_level=None)
    notes.execute("PRAGMA journal_mode = OFF")
    notes.execute("PRAGMA synchronous = OFF")
    notes.execute("PRAGMA temp_store = FILE")
    notes.execute("CREATE TABLE main_account (account INTEGER PRIMARY KEY, person TEXT NOT NULL)")
    return notes


@dataclass(slots=True)
class _Site:
    """One site on its way into the corpus."""

    source: Path
    items: Path
    notes: sqlite3.Connection
    people: RowWriter
    summary: Summary
    progress: Progress | None

    def convert(self) -> None:
        self.notes.execute("BEGIN")
        self._history()
        with self._writer("profiles") as profiles:
            for row in self._rows("Users.xml"):
                self._user(row, profiles)
        with self._writer("posts") as posts:
            for row in self._rows("Posts.xml"):
                self._post(row, posts)
        with self._writer("comments") as comments:
            for row in self._rows("Comments.xml"):
                self._comment(row, comments)
        self.notes.execute("DROP TABLE contribution")
        self.notes.execute("COMMIT")

    def _history(self) -> None:
        """Note every contributor of every post. The index comes last: one sort, instead of a random write a row."""
        self.notes.execute("CREATE TABLE contribution (post INTEGER NOT NULL, user INTEGER NOT NULL)")
        self.notes.executemany("INSERT INTO contribution VALUES (?, ?)", self._contributions())
        self.notes.execute("CREATE INDEX by_post ON contribution (post, user)")

    def _contributions(self) -> Iterator[tuple[int, int]]:
        for row in self._rows("PostHistory.xml"):
            kind = row.text("PostHistoryTypeId")
            if kind in _WRITING:
                user = row.number("UserId")
                yield row.id("PostId"), _SOMEBODY if user is None else user
            elif kind == _SUGGESTED_EDIT:
                proposer = _PROPOSER.search(row.get("Comment", ""))
                user = whole(proposer.group(1)) if proposer else None
                yield row.id("PostId"), _SOMEBODY if user is None or user == COMMUNITY else user

    def _user(self, row: Row, profiles: RowWriter) -> None:
        user = row.id("Id")
        if user == COMMUNITY:
            return
        person = self._person(user)
        self.people.add((person, row.get("Location"), self._main_account(row.number("AccountId"), person)))
        if row.get("AboutMe", "").strip():
            seen = row.time("LastAccessDate") if "LastAccessDate" in row else None
            self._item(
                profiles, (f"{self.source.name}:profile:{user}", person, [], "profile", seen, None, row["AboutMe"])
            )

    def _main_account(self, account: int | None, person: str) -> str | None:
        """Return the first person with this account, None if it is this one."""
        if account is None or account == COMMUNITY:
            return None
        self.notes.execute("INSERT OR IGNORE INTO main_account VALUES (?, ?)", (account, person))
        (first,) = self.notes.execute("SELECT person FROM main_account WHERE account = ?", (account,)).fetchone()
        if first == person:
            return None
        self.summary.linked_accounts += 1
        return str(first)

    def _post(self, row: Row, posts: RowWriter) -> None:
        number = row.id("Id")
        owner = row.number("OwnerUserId")
        kind = row.text("PostTypeId")
        involved = self._involved(row, number, owner)
        self.summary.community_wiki += "CommunityOwnedDate" in row
        self.summary.with_involved += bool(involved)
        self.summary.with_unknown_contributor += None in involved
        title, body = row.get("Title"), row.get("Body", "")
        self._item(
            posts,
            (
                f"{self.source.name}:post:{number}",
                self._owner(owner),
                involved,
                POST_KINDS.get(kind, f"post-type-{kind}"),
                row.time("CreationDate"),
                row.get("ContentLicense"),
                f"{title}\n\n{body}" if title else body,
            ),
        )

    def _involved(self, row: Row, post: int, owner: int | None) -> list[str | None]:
        """Return whose words a post holds besides its owner's; None stands for somebody unknown."""
        users = {user for (user,) in self.notes.execute("SELECT user FROM contribution WHERE post = ?", (post,))}
        editor = row.number("LastEditorUserId")
        if editor is not None:
            users.add(editor)
        elif "LastEditorDisplayName" in row:
            users.add(_SOMEBODY)
        users -= {COMMUNITY, owner}
        known: list[str | None] = [self._person(user) for user in sorted(users - {_SOMEBODY})]
        return [*known, None] if _SOMEBODY in users else known

    def _comment(self, row: Row, comments: RowWriter) -> None:
        self._item(
            comments,
            (
                f"{self.source.name}:comment:{row.id('Id')}",
                self._owner(row.number("UserId")),
                [],
                "comment",
                row.time("CreationDate"),
                row.get("ContentLicense"),
                row.text("Text"),
            ),
        )

    def _item(self, writer: RowWriter, values: tuple[object, ...]) -> None:
        _, author, _, kind, _, licence, _ = values
        self.summary.items[str(kind)] += 1
        self.summary.without_owner += author is None
        if licence is not None:
            self.summary.licences[str(licence)] += 1
        writer.add((*values, self.source.name))

    def _person(self, user: int) -> str:
        return f"{self.source.name}:{user}"

    def _owner(self, user: int | None) -> str | None:
        return None if user is None or user == COMMUNITY else self._person(user)

    def _writer(self, kind: str) -> RowWriter:
        return RowWriter(self.items / f"{self.source.name}.{kind}.parquet", _ITEM_SCHEMA)

    def _rows(self, file: str) -> Iterator[Row]:
        for row in read_rows(self.source / file, root=_FILES[file]):
            yield row
            if self.progress is not None:
                self.progress(1)
