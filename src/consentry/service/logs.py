"""Logs as lines of JSON, without personal data: which address, not what stood in it; how it went, not what was said.

Switched on by the setting `log_format = "json"`. The id of a request is the caller's own: whoever puts a name into it
finds it here.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import sys

ACCESS = logging.getLogger("consentry.access")


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line. Arguments of tracebacks are not in it: only where it was, and of what kind."""
        body = {
            "at": dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "facts", {}),
        }
        return json.dumps(body, ensure_ascii=False)


class AccessLog:
    """Writes a line for every answer."""

    def answered(self, *, method: str, route: str, status: int, seconds: float, ident: str) -> None:
        """Write how a request was answered."""
        facts = {"method": method, "route": route, "status": status, "ms": round(seconds * 1000, 2)}
        if ident:
            facts["request_id"] = ident
        ACCESS.info("answered", extra={"facts": facts})


def as_json(*, level: str) -> AccessLog:
    """Make everything that Consentry and its server log a line of JSON on standard error, and return the access log."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name in ("consentry", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.propagate = False
        logger.setLevel(level.upper())
    ACCESS.setLevel(logging.INFO)
    return AccessLog()
