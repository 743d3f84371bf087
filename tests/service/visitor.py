"""Somebody with a browser, as far as HTTP shows: cookies, forms, and headers that browsers send."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape
from typing import Any

import httpx2

from consentry.service.gate import COOKIE

PASSWORD = "correct horse battery staple"
"""Of whoever signs in with one here."""


@dataclass
class Visitor:
    """Keeps cookies over plain HTTP, which a real browser does for this machine's own address only."""

    url: str
    cookies: dict[str, str] = field(default_factory=dict)
    language: str = "en"

    def get(self, path: str, **headers: str) -> httpx2.Response:
        return self._ask("GET", path, headers=headers)

    def post(self, path: str, form: dict[str, Any] | None = None, **headers: str) -> httpx2.Response:
        sent = {"sec-fetch-site": "same-origin", "origin": self.url, **headers}
        return self._ask("POST", path, data=form or {}, headers=sent)

    def send(self, path: str, files: dict[str, bytes]) -> httpx2.Response:
        """Send a form with files."""
        sent = {"sec-fetch-site": "same-origin", "origin": self.url}
        given = {name: (f"{name}.bin", content) for name, content in files.items()}
        return self._ask("POST", path, files=given, headers=sent)

    def follow(self, answer: httpx2.Response) -> httpx2.Response:
        assert answer.status_code == 303, (answer.status_code, words(answer))
        return self.get(answer.headers["location"])

    @property
    def is_signed_in(self) -> bool:
        return COOKIE in self.cookies

    def _ask(self, method: str, path: str, *, headers: dict[str, str], **more: Any) -> httpx2.Response:
        sent = {"accept": "text/html", "accept-language": self.language, **headers}
        if self.cookies:
            sent["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        with httpx2.Client(base_url=self.url, timeout=30, verify=False) as client:  # plain HTTP: nothing to verify
            answer = client.request(method, path, headers=sent, **more)
        for line in answer.headers.get_list("set-cookie"):
            name, value = line.partition(";")[0].split("=", 1)
            if "max-age=0" in line.lower() or value in {"", '""'}:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return answer


def signed_in(url: str, handle: str) -> Visitor:
    """Return the browser of somebody who has signed in with a password."""
    visitor = Visitor(url)
    answer = visitor.post("/sign-in", {"handle": handle, "password": PASSWORD})
    assert answer.status_code == 303, words(answer)
    return visitor


def words(answer: httpx2.Response) -> str:
    """Return what can be read on a page, in one line."""
    main = re.sub(r"(?s)<(script|style)\b.*?</\1>", " ", answer.text)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", main))).strip()
