"""Logs as lines of JSON, without personal data: which address, not what stood in it; how it went, not what was said.

Switched on by the setting `log_format = "json"`. The id of a request is the caller's own, if it gave one: whoever puts
a name into it finds it here.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import sys
from contextvars import ContextVar

ACCESS = logging.getLogger("consentry.access")
PLATFORM: ContextVar[str] = ContextVar("platform", default="")
"""Of several platforms, whose request is answered or whose work is done here; empty where there is one."""


REQUEST: ContextVar[str] = ContextVar("request", default="")
"""The id of the request that is answered here; empty where none is."""


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line. Arguments of tracebacks are not in it: only where it was, and of what kind."""
        body = {
            "at": dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **({"platform": PLATFORM.get()} if PLATFORM.get() else {}),
            **({"request_id": REQUEST.get()} if REQUEST.get() else {}),
            **getattr(record, "facts", {}),
        }
        return json.dumps(body, ensure_ascii=False)


class TextLines(logging.Formatter):
    """Formats a record as the message, after the platform it is about."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line. No traceback: it could hold somebody's data."""
        platform = PLATFORM.get()
        return f"{platform}: {record.getMessage()}" if platform else record.getMessage()


class AccessLog:
    """Writes a line for every answer."""

    def answered(self, *, method: str, route: str, status: int, seconds: float, ident: str) -> None:
        """Write how a request was answered."""
        facts = {
            "method": method,
            "route": route,
            "status": status,
            "ms": round(seconds * 1000, 2),
            "request_id": ident,
        }
        ACCESS.info("answered", extra={"facts": facts})


def as_json(*, level: str) -> AccessLog:
    """Make everything that Consentry and its server log a line of JSON on standard error, and return the access log."""
    _log_with(JsonLines(), level=level)
    ACCESS.setLevel(logging.INFO)
    return AccessLog()


def as_text(*, level: str) -> None:
    """Make everything that Consentry and its server log a line on standard error that names the platform."""
    _log_with(TextLines(), level=level)


def _log_with(formatter: logging.Formatter, *, level: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    for name in ("consentry", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.propagate = False
        logger.setLevel(level.upper())
