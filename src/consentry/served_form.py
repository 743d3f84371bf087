"""The form for objections as the running server of a home serves it: asked for over HTTP, as anybody would.

`serve.json` in the home names the server while it runs, and its host where one server has several platforms. The
request carries nothing that says who asks. A server may ask itself: whoever calls this holds no lock that the answer
needs.
"""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from urllib.parse import urlsplit

from consentry.home import ADDRESS_FILE
from consentry.oversight.form_page import SEEN, read_form
from consentry.oversight.objection_form import Form

FORM_PATH = "/object"
TIMEOUT_S = 5.0
"""For each part of the answer. A server that is slower than that serves nobody."""
_MOST_BYTES = 1 << 20
_ASKS_WHO = {301, 302, 303, 307, 308, 401, 403}


def served_form(home: Path, *, timeout_s: float = TIMEOUT_S) -> Form | None:
    """Return the form that is served, with `login` if it leads elsewhere first; None: no server runs, or shows none."""
    try:
        told = json.loads((home / ADDRESS_FILE).read_bytes())
        status, content = _get(str(told["url"]), str(told.get("host", "")), timeout_s=timeout_s)
    except (OSError, http.client.HTTPException, ValueError, TypeError, KeyError, AttributeError):
        return None
    if status in _ASKS_WHO:
        return Form(version=SEEN, steps=(), login=True)
    return read_form(content.decode("utf-8", "replace"), path=FORM_PATH) if status == http.client.OK else None


def _get(url: str, host: str, *, timeout_s: float) -> tuple[int, bytes]:
    """Return status and content of the page. Nothing is followed, and no proxy of the environment is asked."""
    address = urlsplit(url)
    if address.scheme != "http" or address.hostname is None:
        raise ValueError("no address of a server on this machine")
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=timeout_s)
    try:
        headers = {"Accept": "text/html", "Connection": "close"} | ({"Host": host} if host else {})
        connection.request("GET", FORM_PATH, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read(_MOST_BYTES)
    finally:
        connection.close()
