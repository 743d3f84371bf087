"""Ask a Consentry server from Python.

    with Consentry("https://consentry.example", key="ck_…") as consentry:
        if consentry.may("u-17", purpose="train-genai", category="post", visibility="public"):
            ...

Answers are what the server's description says (`/openapi.json`), as plain values; their types (`answers.py`,
`model_answers.py`, `oversight_answers.py`, `staff_answers.py`) are made of it. Reads that fail are tried again; writes
are as well, because each carries an idempotency key, so that it is done once. A write that a try of its own began is
waited for. Where nobody can say whether a write was done, `OutcomeUnknownError` is raised: read, then decide. What is
no answer is no permission: `may` raises rather than guess.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from consentry.client.answers import (
    Comparison,
    Decided,
    DecidedAll,
    Explanation,
    Leases,
    LeaseShown,
    Plan,
    Ready,
    ReceiptText,
    Recorded,
    Release,
    Said,
    Undoes,
    Version,
    WhatCounts,
    WholeRelease,
)
from consentry.client.connection import Json, OutcomeUnknownError, RefusedError, address
from consentry.client.models import ForModels
from consentry.errors import InputError

__all__ = ["Consentry", "OutcomeUnknownError", "RefusedError"]


class Consentry(ForModels):
    """What can be asked of a server. A `with` block closes the connection; several threads may share one."""

    def may(
        self, person: str, *, purpose: str, category: str, visibility: str = "unknown", policy: str | None = None
    ) -> bool:
        """Say whether something new of a person may be used; by the policy set published last, unless one is named."""
        properties = {} if policy is None else {"policy": policy}
        asked = {
            "subject": {"type": "person", "id": person},
            "action": {"name": purpose, "properties": properties},
            "resource": {
                "type": "content",
                "id": "new",
                "properties": {"category": category, "visibility": visibility},
            },
        }
        return self.evaluate(asked)["decision"] is True

    def evaluate(self, evaluation: Json) -> Decided:
        """Decide about one use (AuthZEN 1.0)."""
        return self._post("/access/v1/evaluation", Decided, evaluation)

    def evaluate_all(self, evaluations: Json) -> DecidedAll:
        """Decide about several uses (AuthZEN 1.0).

        Raises:
            InputError: `evaluations` has none: that would be one question, and another answer.
        """
        if not evaluations.get("evaluations"):
            raise InputError("serve-malformed", "there are no `evaluations`", help="ask `evaluate` about one use")
        return self._post("/access/v1/evaluations", DecidedAll, evaluations)

    def record_choices(self, choices: Sequence[Json]) -> Recorded:
        """Record what people said; when this returns it is durable."""
        return self._write("/v1/choices", Recorded, {"choices": list(choices)})

    def choices_of(self, person: str) -> WhatCounts:
        """Return what counts of what a person said."""
        return self._post("/v1/choices/read", WhatCounts, {"person": person})

    def preview_refusal(self, person: str, *, purpose: str, **more: Any) -> Undoes:
        """Say in numbers what a no would undo: also to `categories` only, or to `items` of a `corpus`."""
        return self._post("/v1/choices/preview", Undoes, {"person": person, "purpose": purpose, **more})

    def receipt(self, position: int, *, opening: bool = True) -> bytes:
        """Return the signed receipt for the choice or objection at a position, as it is handed to the person."""
        return self._file(address("/v1/receipts/{}", position), {"opening": str(opening).lower()})

    def receipt_text(self, position: int) -> str:
        """Return what a receipt says, in words."""
        return self._get(address("/v1/receipts/{}/text", position), ReceiptText)["text"]

    def receipt_of_objection(self, objection: str) -> bytes:
        """Return the signed receipt for an objection, as it was received."""
        return self._file(address("/v1/receipts/of-objection/{}", objection))

    def releases(self) -> Iterator[Release]:
        """Yield the releases, oldest first."""
        return self._rows("/v1/releases", "releases", Release)

    def release(self, name: str) -> WholeRelease:
        """Return a release with its counts."""
        return self._get(address("/v1/releases/{}", name), WholeRelease)

    def withdraw_release(self, name: str, *, reason: str) -> Said:
        """Say that a release may no longer be read, for good."""
        return self._write(address("/v1/releases/{}/withdrawal", name), Said, {"reason": reason})

    def plan_release(self, corpus: str, *, policy: str, **more: Any) -> Plan:
        """Count what a release would hold: also `purpose`, `at`, `suspended` areas."""
        return self._post("/v1/releases/plan", Plan, {"corpus": corpus, "policy": policy, **more})

    def build_release(self, corpus: str, *, policy: str, timeout: float = 3600.0, **more: Any) -> WholeRelease:
        """Build and seal a release, and wait for it: also `purpose`, `at`."""
        return self._write("/v1/releases", WholeRelease, {"corpus": corpus, "policy": policy, **more}, timeout=timeout)

    def explain(self, release: str, item: str) -> Explanation:
        """Say why an item is in a release, or is not."""
        return self._post(address("/v1/releases/{}/explain", release), Explanation, {"item": item})

    def compare_releases(self, before: str, after: str) -> Comparison:
        """Say what changed between two releases, and why."""
        return self._post(address("/v1/releases/{}/compare", after), Comparison, {"before": before})

    def leases(self) -> list[LeaseShown]:
        """Return every lease. Jobs hold theirs with `consentry.training`."""
        return self._get("/v1/leases", Leases)["leases"]

    def ready(self) -> Ready:
        """Say whether requests can be answered."""
        return self._get("/readyz", Ready)

    def version(self) -> Version:
        """Say which program answers."""
        return self._get("/version", Version)
