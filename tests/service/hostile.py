"""Requests that nobody honest sends: bodies to every address that takes one, and queries to every one that is read.

Each is sent as bytes over a connection of its own, with what lets it in: a wrong body has to come to where it is read.
"""

from __future__ import annotations

import random
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

from fastapi.routing import APIRoute

from consentry.accounts.access import TABLE, Action, Role
from consentry.bootstrap import open_deployment
from consentry.service.app import ROUTERS
from consentry.service.bodies import LARGEST
from consentry.service.gate import COOKIE, actions_of, addresses
from service.at_work import Process, home, home_in, served

SENDERS = 4
NO_ANSWER = 599
"""Stands where the server said nothing and kept the connection for a minute."""
SLOW = 50
KEEP_BYTES = 40 << 20
"""By so much the server's memory may grow: allocators keep what 100 threads once needed for bodies of a mebibyte."""
KEEP_FILES = 100
_PROGRAMS = frozenset({Role.PLATFORM, Role.WORKLOAD, Role.ML_ENGINEER})
_STAFF = frozenset({Role.PRIVACY_OFFICER, Role.ADMINISTRATOR, Role.ML_ENGINEER})
_GOOD = (
    b'{"subject": {"type": "person", "id": "us"}, "action": {"name": "train-ai"}, '
    b'"resource": {"type": "content", "id": "1"}}'
)
_JSON, _FORM, _PARTS = b"application/json", b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=xx"
_SIGN_OUT = "/sign-out"

Bytes = Callable[[random.Random], bytes]
UNDECLARED = [
    b"find",
    b"answer_to",
    b"reason",
    b"message",
    b"person",
    b"reach",
    b"category",
    b"corpus",
    b"items",
    b"months",
]
"""Fields of forms that are read as they come."""


def _deep(chance: random.Random) -> int:
    return chance.randrange(100, 10_000)


def _cut(chance: random.Random, inside: bytes = b"") -> bytes:
    at = chance.randrange(len(_GOOD))
    return _GOOD[:at] + inside + (_GOOD[at:] if inside else b"")


JSON: dict[str, Bytes] = {
    "a key twice": lambda _: b'{"choices": [], "choices": []}',
    "NaN": lambda _: b'{"choices": NaN}',
    "Infinity": lambda _: b'{"ttl_s": Infinity, "release": "r", "job": "j", "model": "m", "nonce": "n"}',
    "a number too large": lambda _: b'{"ttl_s": 1e999, "release": "r", "job": "j", "model": "m", "nonce": "n"}',
    "deep arrays": lambda chance: b"[" * (deep := _deep(chance)) + b"]" * deep,
    "deep objects": lambda chance: b'{"a":' * (deep := _deep(chance)) + b"1" + b"}" * deep,
    "half a surrogate": lambda _: b'{"subject": {"type": "person", "id": "\\ud800"}}',
    "NUL": lambda _: b'{"case": "\\u0000", "person": "\\u0000", "text": "\\u0000"}',
    "UTF-16": lambda chance: b"\xff\xfe" + chance.randbytes(40),
    "noise": lambda chance: chance.randbytes(chance.randrange(1, 300)),
    "cut off": _cut,
    "noise inside": lambda chance: _cut(chance, chance.randbytes(3)),
    "overlong UTF-8": lambda chance: _cut(chance, b"\xc0\x80"),
    "many of them": lambda _: b'{"choices": [' + b'{"person": "x"},' * 500 + b"{}]}",
    "a long number": lambda chance: b"1" * _deep(chance),
    "a long text": lambda _: b'"' + b"x" * 100_000 + b'"',
    "too large": lambda _: b'{"model": "' + b"x" * LARGEST + b'"}',
    "nothing": lambda _: b"",
    "null": lambda _: b"null",
    "names of objects": lambda _: b'{"__proto__": {"a": 1}, "__class__": "x", "constructor": 1}',
    "other types": lambda _: b'{"case": [1], "title": {"a": 1}, "reference": true, "person": 1e400, "text": [[]]}',
}


def _fields(value: bytes, *, of: Sequence[bytes]) -> bytes:
    """Return a form in which every field of an address has the same value."""
    return b"&".join(name + b"=" + value for name in of)


FORMS: dict[str, Callable[[random.Random, Sequence[bytes]], bytes]] = {
    "a field many times": lambda _, names: _fields(b"a", of=[*names] * 100),
    "many fields": lambda chance, _: b"&".join(b"f%d=1" % each for each in range(chance.randrange(200, 5_000))),
    "bad UTF-8": lambda chance, names: _fields(chance.choice((b"%ff%fe", b"%c0%80", b"%ed%a0%80", b"\xff")), of=names),
    "NUL": lambda _, names: _fields(b"a%00b", of=names),
    "bad escapes": lambda chance, names: _fields(chance.choice((b"%zz", b"%", b"%1", b"%%%")), of=names),
    "long values": lambda _, names: _fields(b"x" * (900_000 // len(names)), of=names),
    "a long name": lambda _, __: b"x" * 300_000 + b"=1",
    "too large": lambda _, names: _fields(b"x" * LARGEST, of=names[:1]),
    "markup": lambda _, names: _fields(b"%3Cscript%3Ealert(1)%3C/script%3E%7B%7B7*7%7D%7D", of=names),
    "noise": lambda chance, _: chance.randbytes(chance.randrange(1, 300)),
    "noise in fields": lambda chance, names: _fields(quote(chance.randbytes(20)).encode(), of=names),
    "separators": lambda chance, _: b"&=;" * chance.randrange(1, 3_000),
    "invisible": lambda chance, names: _fields(chance.choice((b"%e2%80%ae", b"%e2%80%8b", b"%0d%0a", b"+")), of=names),
    "numbers": lambda chance, names: _fields(chance.choice((b"1e400", b"-1", b"0", b"%D9%A3", b"9" * 30)), of=names),
    "days": lambda chance, names: _fields(chance.choice((b"99999999-99-99", b"0000-00-00", b"9999-12-31")), of=names),
    "words": lambda chance, names: _fields(chance.choice((b"a", b"UK", b"train-ai", b"post", b"accept")), of=names),
    "nothing": lambda _, __: b"",
}


def _part(head: bytes, content: bytes = b"x") -> bytes:
    return b"--xx\r\n" + head + b"\r\n\r\n" + content + b"\r\n"


_NAMED = b'Content-Disposition: form-data; name="text"'
MULTIPART: dict[str, Bytes] = {
    "no end": lambda _: _part(_NAMED),
    "another boundary": lambda _: _part(_NAMED).replace(b"--xx", b"--yy") + b"--yy--",
    "no name": lambda _: _part(b"Content-Disposition: form-data") + b"--xx--",
    "no disposition": lambda _: _part(b"Content-Type: text/plain") + b"--xx--",
    "a bad head": lambda chance: _part(chance.randbytes(50)) + b"--xx--",
    "a long head": lambda _: _part(b"X: " + b"y" * 100_000) + b"--xx--",
    "many parts": lambda chance: _part(_NAMED) * chance.randrange(200, 3_000) + b"--xx--",
    "a file where text belongs": lambda _: _part(_NAMED + b'; filename="../../x"') + b"--xx--",
    "a file name": lambda _: _part(b'Content-Disposition: form-data; name="file"; filename="\xff\x00\r"') + b"--xx--",
    "a file of noise": lambda chance: (
        _part(_NAMED.replace(b"text", b"file") + b'; filename="x"', chance.randbytes(900)) + b"--xx--"
    ),
    "a charset": lambda _: _part(_NAMED + b"\r\nContent-Type: text/plain; charset=utf-7") + b"--xx--",
    "nested": lambda _: _part(_NAMED + b"\r\nContent-Type: multipart/mixed; boundary=xx") + b"--xx--",
    "noise": lambda chance: chance.randbytes(300),
    "nothing": lambda _: b"",
}
KINDS: dict[str, list[bytes]] = {
    "json": [*[_JSON] * 12, _JSON + b"; charset=utf-16", b"application/xml", b"text/plain", b"\xff", b""],
    "form": [*[_FORM] * 12, _FORM + b"; charset=x", _JSON, b"text/plain", b"\xff", b""],
    "multipart": [*[_PARTS] * 6, b"multipart/form-data", b"multipart/form-data; boundary=" + b"x" * 5_000],
}
HEADERS: list[Bytes] = [
    *([lambda _: b""] * 30),
    lambda _: b"X-Long: " + b"x" * 100_000 + b"\r\n",
    lambda _: b"X-Many: 1\r\n" * 2_000,
    lambda chance: b"Idempotency-Key: " + chance.choice((b"\xff\xff", b"x" * 5_000, b" ", b"k")) + b"\r\n",
    lambda _: b"Accept-Language: " + b"x;q=9,*;q=-1," * 200 + b"\r\n",
    lambda _: b"Accept: text/html\r\n",
    lambda _: b"Accept: " + b"*/*;q=1e9," * 200 + b"\r\n",
    lambda _: b"Cookie: a=\xff; __Host-consentry=\xff\r\n",
    lambda _: b"Transfer-Encoding: chunked\r\n",
    lambda _: b"Content-Length: 5\r\n",
    lambda _: b"X-Request-ID: \xff\x01" + b"x" * 300 + b"\r\n",
    lambda _: b"Expect: 100-continue\r\n",
    lambda _: b"Host: other.example\r\nX-Forwarded-Host: \xff\r\n",
]
IN_PATHS = (*["x1", "concern"] * 4, "%00", "%ff", "..%2f..", "%F0%9F%98%80", "x" * 500, "1" * 400, "a b", "%0d%0aX:1")
NAMES = ("page", "sort", "q", "saved", "number", "lang", "format", "next", "state", "kind", "position", "purpose", "at")
"""What pages look for in an address as it comes, whatever they declare; a list takes any of its columns too."""
VALUES: dict[str, Bytes] = {
    "nothing": lambda _: b"",
    "numbers": lambda chance: chance.choice((b"0", b"-1", b"1e400", b"nan", b"9" * 30, b"1.5", b"%2B1", b"1_0")),
    "digits that are none": lambda chance: chance.choice((b"%D9%A3", b"%C2%B2", b"%E2%91%A0", b"%F0%9D%9F%97")),
    "NUL": lambda _: b"a%00b",
    "bad UTF-8": lambda chance: chance.choice((b"%ff%fe", b"%c0%80", b"%ed%a0%80", b"%f4%90%80%80")),
    "bad escapes": lambda chance: chance.choice((b"%zz", b"%", b"%1", b"%%%", b"%u0041")),
    "a long value": lambda chance: b"x" * chance.randrange(1_000, 20_000),
    "markup": lambda _: b"%22%3E%3Cscript%3Ealert(1)%3C/script%3E%7B%7B7*7%7D%7D",
    "lines": lambda _: b"a%0d%0aX-Made: 1".replace(b" ", b"%20"),
    "invisible": lambda chance: chance.choice((b"%e2%80%ae", b"%e2%80%8b", b"+", b"%20", b"%c2%a0")),
    "paths": lambda chance: chance.choice((b"../../x", b"//evil.example", b"%5c%5cx", b"file:///x", b"javascript:x")),
    "days": lambda chance: chance.choice((b"99999999-99-99", b"0000-00-00", b"9999-12-31", b"-0001-01-01")),
    "words": lambda chance: chance.choice((b"csv", b"json", b"de", b"-at", b"at", b"train-ai", b"open", b"us", b"UK")),
    "patterns": lambda _: b"(a%2B)%2B$%5B%25_*?",
    "noise": lambda chance: quote(chance.randbytes(20)).encode(),
}
QUERIES: dict[str, Callable[[bytes, Sequence[bytes]], bytes]] = {
    "each": lambda value, names: b"&".join(name + b"=" + value for name in names),
    "one": lambda value, names: names[len(value) % len(names)] + b"=" + value,
    "many times": lambda value, names: b"&".join(name + b"=" + value[:50] for name in [*names] * 20),
    "names": lambda value, _: b"&".join(b"%s%d=%s" % (value[:20], number, value[:20]) for number in range(300)),
    "bare": lambda value, _: b"&=" * 50 + value + b"=&&;" * 50,
}


@dataclass
class Place:
    """A server in a process of its own, and what lets somebody in."""

    process: Process
    headers: dict[str, bytes]

    def held_bytes(self) -> int:
        """Return how much memory the server holds now."""
        for line in Path(f"/proc/{self.process.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise OSError("its status has no VmRSS")

    def open_files(self) -> int:
        """Return how many files and connections it holds open."""
        return sum(1 for _ in Path(f"/proc/{self.process.process.pid}/fd").iterdir())


@dataclass
class Found:
    """How often each status was answered (0: closed without a word), and what broke the server."""

    statuses: Counter[int] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)

    def note(self, status: int, what: str) -> None:
        self.statuses[status] += 1
        if status >= 500:
            self.broken[f"{status} {what}"] += 1


@contextmanager
def place(empty: Path | None = None) -> Iterator[Place]:
    """Serve a home with data in it; staff, a member, an authority and a program may come in.

    The home is made in the folder `empty`, with its ledger where the environment says, if one is given.
    """
    with home() if empty is None else home_in(empty) as (folder, _):
        deployment = open_deployment(folder, embedded=empty is None)
        deployment.control.cases.open("concern", title="a concern", reference="letter", by="olga")
        with deployment.admission() as admission:
            admission.add("olga", roles=_STAFF, password="")
            admission.add("ico", roles=frozenset({Role.AUTHORITY}), areas=frozenset({"UK"}), password="")
            shown = {
                "/console": admission.admit("olga", subject="https://idp.example/#olga"),
                "/authority": admission.admit("ico", subject="https://idp.example/#ico"),
                "/me": admission.admit_member(deployment.person("us"), {}),
            }
            _, key = admission.add_key("programs", roles=_PROGRAMS, by="olga")
        deployment.close()
        headers = {name: f"Cookie: {COOKIE}={cookie}\r\n".encode() for name, cookie in shown.items()}
        with served(folder, errors=subprocess.DEVNULL) as process:  # a line for each that is no HTTP
            yield Place(process, {**headers, "": f"Authorization: Bearer {key}\r\n".encode()})


def targets() -> list[APIRoute]:
    """Return every address that takes a body, but for the one that ends a session."""
    return [each for each in addresses(ROUTERS) if "POST" in (each.methods or ()) and each.path != _SIGN_OUT]


def readable() -> list[APIRoute]:
    """Return every address that is read."""
    return [each for each in addresses(ROUTERS) if "GET" in (each.methods or ())]


def query(there: Place, route: APIRoute, chance: random.Random) -> tuple[str, bytes]:
    """Return what is wrong with the query of a request, in words, and its bytes."""
    declared = [each.alias.encode() for each in route.dependant.query_params]
    shape, fill = chance.choice(list(QUERIES.items()))
    kind, make = chance.choice(list(VALUES.items()))
    value = make(chance)
    path = _path(route, chance).encode("latin-1") + b"?" + fill(value, [*declared, *(each.encode() for each in NAMES)])
    host = urlsplit(there.process.ask.url).netloc.encode()
    accept = chance.choice((b"text/html", b"application/json", b"*/*"))
    head = b"GET " + path + b" HTTP/1.1\r\nHost: " + host + b"\r\nAccept: " + accept + b"\r\nConnection: close\r\n"
    return f"{route.path}: {kind}, {shape}", head + _shown(there, route) + b"\r\n"


def _path(route: APIRoute, chance: random.Random) -> str:
    path = route.path
    for name in route.param_convertors:
        path = path.replace(f"{{{name}}}", quote(chance.choice(IN_PATHS), safe="%."))
    return path


def request(there: Place, route: APIRoute, chance: random.Random) -> tuple[str, bytes]:
    """Return what is wrong with a request, in words, and its bytes."""
    path = _path(route, chance)
    is_api = path.startswith(("/v1/", "/access/"))
    form = "json" if is_api else chance.choice(("form", "multipart"))
    name, body = _body(route, form, chance)
    kind = chance.choice(KINDS[form])
    if chance.randrange(20) == 0:
        path += "?" + chance.choice(("limit=-1", "%ff=%00", "a" * 5_000, "after=%F0%9F%98%80", "lang=../x"))
    host = urlsplit(there.process.ask.url).netloc.encode()
    head = b"POST " + path.encode("latin-1") + b" HTTP/1.1\r\nHost: " + host + b"\r\n" + _shown(there, route)
    head += b"Sec-Fetch-Site: same-origin\r\nConnection: close\r\n" + chance.choice(HEADERS)(chance)
    if kind:
        head += b"Content-Type: " + kind + b"\r\n"
    if b"chunked" not in head:
        head += b"Content-Length: %d\r\n" % len(body)
    else:
        body = chance.choice((b"zz\r\n", b"5\r\nabc\r\n0\r\n\r\n", b"1\r\na\r\n0\r\n\r\n"))
    return f"{route.path}: {form}, {name}", head + b"\r\n" + body


def _body(route: APIRoute, form: str, chance: random.Random) -> tuple[str, bytes]:
    """Return what is wrong with a body, in words, and its bytes."""
    if form == "form":
        name, fill = chance.choice(list(FORMS.items()))
        return name, fill(chance, [each.alias.encode() for each in route.dependant.body_params] or UNDECLARED)
    name, make = chance.choice(list((JSON if form == "json" else MULTIPART).items()))
    return name, make(chance)


def _shown(there: Place, route: APIRoute) -> bytes:
    """Return the header with which somebody may do what an address does."""
    prefix = next((each for each in there.headers if each and route.path.startswith(each)), "")
    needed = actions_of(route) - {Action.ANYONE, Action.HOLDER}
    if not prefix and all(not _STAFF.isdisjoint(TABLE[each]) for each in needed):
        prefix = "/console"
    return there.headers[prefix]


def send(url: str, content: bytes) -> int:
    """Send bytes over a connection of its own, and return the status; 0: closed without a word, 599: no answer."""
    parts = urlsplit(url)
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=60) as connection:
            with suppress(OSError):  # It has answered before it read all.
                connection.sendall(content)
            for line in connection.makefile("rb"):
                if line.startswith(b"HTTP/") and not line.startswith(b"HTTP/1.1 100"):
                    return int(line.split()[1])
    except ConnectionError:
        pass
    except TimeoutError:
        return NO_ANSWER
    return 0


def attack(there: Place, count: int, *, seed: int = 7, by_query: bool = False) -> Found:
    """Send so many, from several senders, while slow ones hold connections, and return what was answered."""
    found, lock = Found(), threading.Lock()
    routes, made = (readable(), query) if by_query else (targets(), request)

    def sender(number: int) -> None:
        chance = random.Random(seed * 1_000 + number)
        for index in range(number, count, SENDERS):
            what, content = made(there, routes[index % len(routes)], chance)
            status = send(there.process.ask.url, content)
            with lock:
                found.note(status, what)

    with slow_clients(there):
        threads = [threading.Thread(target=sender, args=(number,)) for number in range(SENDERS)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    return found


@contextmanager
def slow_clients(there: Place) -> Iterator[list[socket.socket]]:
    """Hold connections of clients that began a request and send no more of it: some in its head, some in its body."""
    parts = urlsplit(there.process.ask.url)
    address = (parts.hostname or "", parts.port or 0)
    found = [socket.create_connection(address, timeout=30) for _ in range(SLOW)]
    try:
        for number, each in enumerate(found):
            target = (b"/v1/choices", b"/object")[number % 2]
            each.sendall(b"POST " + target + b" HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
            if number % 4 > 1:
                each.sendall(b"Content-Length: 1000\r\n\r\n{")
        yield found
    finally:
        for each in found:
            each.close()
