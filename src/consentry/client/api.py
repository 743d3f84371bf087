"""Ask a Consentry server from Python.

    with Consentry("https://consentry.example", key="ck_…") as consentry:
        if consentry.may("u-17", purpose="train-genai", category="post", visibility="public"):
            ...

Answers are what the server's description says (`/openapi.json`), as plain values. Reads that fail are tried again;
writes are as well, because each carries an idempotency key, so that it is done once. A write that a try of its own
began is waited for. Where nobody can say whether a write was done, `OutcomeUnknownError` is raised: read, then decide.
What is no answer is no permission: `may` raises rather than guess.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from consentry.client.connection import Connection, Json, OutcomeUnknownError, RefusedError
from consentry.errors import InputError

__all__ = ["Consentry", "OutcomeUnknownError", "RefusedError"]


class Consentry(Connection):
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

    def evaluate(self, evaluation: Json) -> Json:
        """Decide about one use (AuthZEN 1.0)."""
        return self._post("/access/v1/evaluation", evaluation)

    def evaluate_all(self, evaluations: Json) -> Json:
        """Decide about several uses (AuthZEN 1.0)."""
        return self._post("/access/v1/evaluations", evaluations)

    def record_choices(self, choices: Sequence[Json]) -> Json:
        """Record what people said; when this returns it is durable."""
        return self._write("/v1/choices", {"choices": list(choices)})

    def choices_of(self, person: str) -> Json:
        """Return what counts of what a person said."""
        return self._post("/v1/choices/read", {"person": person})

    def receipt(self, position: int, *, opening: bool = True) -> bytes:
        """Return the signed receipt for the choice or objection at a position, as it is handed to the person."""
        return self._file(_path("/v1/receipts/{}", position), {"opening": str(opening).lower()})

    def receipt_text(self, position: int) -> str:
        """Return what a receipt says, in words."""
        return str(self._get(_path("/v1/receipts/{}/text", position))["text"])

    def receipt_of_objection(self, objection: str) -> bytes:
        """Return the signed receipt for an objection, as it was received."""
        return self._file(_path("/v1/receipts/of-objection/{}", objection))

    def file_objection(self, *, find: str, answer_to: str, **more: Any) -> Json:
        """Pass on what somebody wrote: also `reason`, `purpose`. It is tried once: twice would be two objections."""
        return self._once("/v1/objections", {"find": find, "answer_to": answer_to, **more})

    def objections(self, *states: str, overdue: bool = False, mine: bool = False) -> Iterator[Json]:
        """Yield objections, oldest first: those in some states, or all that wait for an answer."""
        asked = {"overdue": str(overdue).lower(), "mine": str(mine).lower()}
        return self._rows("/v1/objections", "objections", {**asked, **({"state": list(states)} if states else {})})

    def objection(self, name: str) -> Json:
        """Return an objection with what was written."""
        return self._get(_path("/v1/objections/{}", name))

    def take_objection(self, name: str) -> Json:
        """Look at an objection, or take it over."""
        return self._write(_path("/v1/objections/{}/take", name), {})

    def ask_objector(self, name: str, *, text: str) -> Json:
        """Ask the objector for more."""
        return self._write(_path("/v1/objections/{}/ask", name), {"text": text})

    def extend_objection(self, name: str, *, months: int, text: str) -> Json:
        """Take one or two months longer, and say why."""
        return self._write(_path("/v1/objections/{}/extend", name), {"months": months, "text": text})

    def match_person(self, name: str, person: str, **more: Any) -> Json:
        """Answer that a person's content is meant: also `categories`, `reach`, `reply`."""
        return self._write(_path("/v1/objections/{}/match-person", name), {"person": person, **more})

    def match_items(self, name: str, items: Sequence[str], *, corpus: str, reply: str = "") -> Json:
        """Answer that single items are meant."""
        body = {"items": list(items), "corpus": corpus, "reply": reply}
        return self._write(_path("/v1/objections/{}/match-items", name), body)

    def objection_not_found(self, name: str, *, text: str) -> Json:
        """Answer that nothing was found, and say what was tried."""
        return self._write(_path("/v1/objections/{}/not-found", name), {"text": text})

    def decline_objection(self, name: str, *, ground: str, text: str) -> Json:
        """Answer that it is not followed, on a lawful ground."""
        return self._write(_path("/v1/objections/{}/decline", name), {"ground": ground, "text": text})

    def note_objection(self, name: str, *, text: str) -> Json:
        """Write something down for the others."""
        return self._write(_path("/v1/objections/{}/note", name), {"text": text})

    def orders(self) -> Iterator[Json]:
        """Yield the orders, oldest first."""
        return self._rows("/v1/orders", "orders")

    def order(self, name: str) -> Json:
        """Return an order."""
        return self._get(_path("/v1/orders/{}", name))

    def what_if(self, scope: Json) -> Json:
        """Say what an order would hit."""
        return self._post("/v1/orders/what-if", {"scope": scope})

    def suspend(self, *, case: str, scope: Json, reference: str, origin: str = "own-decision") -> Json:
        """Suspend a use from now on."""
        body = {"case": case, "scope": scope, "reference": reference, "origin": origin}
        return self._write("/v1/orders", body)

    def cases(self) -> Iterator[Json]:
        """Yield the cases, oldest first."""
        return self._rows("/v1/cases", "cases")

    def case(self, name: str) -> Json:
        """Return a case with its register."""
        return self._get(_path("/v1/cases/{}", name))

    def timeline(self, case: str) -> Iterator[Json]:
        """Yield what was said of a case, oldest first."""
        return self._rows(_path("/v1/cases/{}/timeline", case), "events")

    def open_case(self, name: str, *, title: str, reference: str) -> Json:
        """Open a case for a concern."""
        return self._write("/v1/cases", {"case": name, "title": title, "reference": reference})

    def begin_review(self, case: str) -> Json:
        """Begin the review of a case."""
        return self._write(_path("/v1/cases/{}/review", case), {})

    def set_condition(self, case: str, condition: str, *, title: str, owner: str, **more: Any) -> Json:
        """Set a condition: also `due`, or `check` with `policy` and `parameters`."""
        body = {"condition": condition, "title": title, "owner": owner, **more}
        return self._write(_path("/v1/cases/{}/conditions", case), body)

    def meet_condition(self, case: str, condition: str, *, text: str | None = None, document: bytes = b"") -> Json:
        """Note that a condition is met, as a text or a document shows."""
        body = {"document": base64.b64encode(document).decode()} if text is None else {"text": text}
        return self._write(_path("/v1/cases/{}/conditions/{}/evidence", case, condition), body)

    def reopen_condition(self, case: str, condition: str, *, reason: str) -> Json:
        """Note that a condition is not met after all, and why."""
        return self._write(_path("/v1/cases/{}/conditions/{}/reopening", case, condition), {"reason": reason})

    def require_notice(self, case: str, notice: str, *, days: int) -> Json:
        """Require that people are told, and that days pass, before a case is lifted."""
        return self._write(_path("/v1/cases/{}/notices", case), {"notice": notice, "days": days})

    def correct_notice(self, case: str, notice: str, *, days: int | None, reason: str) -> Json:
        """Have a case wait fewer days after a notice, or not require it (`None`), as more was a mistake."""
        body = {"days": days, "reason": reason}
        return self._write(_path("/v1/cases/{}/notices/{}/correction", case, notice), body)

    def take_back_condition(self, case: str, condition: str, *, reason: str) -> Json:
        """Take a condition back that was a mistake."""
        return self._write(_path("/v1/cases/{}/conditions/{}/taking-back", case, condition), {"reason": reason})

    def approve_lifting(self, case: str) -> Json:
        """Approve lifting a case: two different people have to."""
        return self._write(_path("/v1/cases/{}/approvals", case), {})

    def lift(self, case: str, *, reference: str) -> Json:
        """Lift a case, if nothing stands in the way."""
        return self._write(_path("/v1/cases/{}/lifting", case), {"reference": reference})

    def narrow(self, case: str, *, scope: Json, reference: str) -> Json:
        """Agree to a smaller suspension; the second person makes it so."""
        return self._write(_path("/v1/cases/{}/narrowing", case), {"scope": scope, "reference": reference})

    def withdraw_case(self, case: str, *, reference: str) -> Json:
        """Agree that a concern was given up; the second person ends what is suspended."""
        return self._write(_path("/v1/cases/{}/withdrawal", case), {"reference": reference})

    def prohibit(self, case: str, *, reference: str) -> Json:
        """End a case with its suspensions in force, for good."""
        return self._write(_path("/v1/cases/{}/prohibition", case), {"reference": reference})

    def schedule_report(self, case: str, report: str, *, title: str, due: int) -> Json:
        """Note that a report is owed by a time."""
        return self._write(_path("/v1/cases/{}/reports", case), {"report": report, "title": title, "due": due})

    def deliver_report(self, case: str, report: str) -> Json:
        """Note that a report was handed over."""
        return self._write(_path("/v1/cases/{}/reports/{}/delivery", case, report), {})

    def releases(self) -> Iterator[Json]:
        """Yield the releases, oldest first."""
        return self._rows("/v1/releases", "releases")

    def release(self, name: str) -> Json:
        """Return a release with its counts."""
        return self._get(_path("/v1/releases/{}", name))

    def withdraw_release(self, name: str, *, reason: str) -> Json:
        """Say that a release may no longer be read, for good."""
        return self._write(_path("/v1/releases/{}/withdrawal", name), {"reason": reason})

    def plan_release(self, corpus: str, *, policy: str, **more: Any) -> Json:
        """Count what a release would hold: also `purpose`, `at`, `suspended` areas."""
        return self._post("/v1/releases/plan", {"corpus": corpus, "policy": policy, **more})

    def build_release(self, corpus: str, *, policy: str, timeout: float = 3600.0, **more: Any) -> Json:
        """Build and seal a release, and wait for it: also `purpose`, `at`."""
        return self._write("/v1/releases", {"corpus": corpus, "policy": policy, **more}, timeout=timeout)

    def explain(self, release: str, item: str) -> Json:
        """Say why an item is in a release, or is not."""
        return self._post(_path("/v1/releases/{}/explain", release), {"item": item})

    def compare_releases(self, before: str, after: str) -> Json:
        """Say what changed between two releases, and why."""
        return self._post(_path("/v1/releases/{}/compare", after), {"before": before})

    def models(self) -> Iterator[Json]:
        """Yield the models."""
        return self._rows("/v1/models", "models")

    def model(self, name: str) -> Json:
        """Return a model with what it was trained on."""
        return self._get(_path("/v1/models/{}", name))

    def register_model(self, name: str, **more: Any) -> Json:
        """Say what a model comes from: `base`, `releases`, `leases`, `digest`."""
        return self._write("/v1/models", {"model": name, **more})

    def may_serve(self, model: str) -> Json:
        """Say whether a model may be served, and for how long the answer counts."""
        return self._get(_path("/v1/models/{}/serving", model))

    def choose_remedy(self, model: str, remedy: str, *, reason: str = "") -> Json:
        """Choose what is done about an affected model."""
        return self._write(_path("/v1/models/{}/remedy", model), {"remedy": remedy, "reason": reason})

    def approve_remedy(self, model: str) -> Json:
        """Approve the remedy `accept` or `drop-adapter` of a model: two different people have to."""
        return self._write(_path("/v1/models/{}/remedy/approvals", model), {})

    def finish_remedy(self, model: str, *, digest: str | None = None) -> Json:
        """Say that what was chosen is done."""
        return self._write(_path("/v1/models/{}/remedy/completion", model), {"digest": digest})

    def withdraw_model(self, model: str, *, reason: str) -> Json:
        """Say that nobody may serve a model any more, for good."""
        return self._write(_path("/v1/models/{}/withdrawal", model), {"reason": reason})

    def notices(self) -> Iterator[Json]:
        """Yield the notices."""
        return self._rows("/v1/notices", "notices")

    def notice(self, name: str) -> Json:
        """Return a notice."""
        return self._get(_path("/v1/notices/{}", name))

    def notice_text(self, name: str, number: int) -> Json:
        """Return a version of a notice with its text."""
        return self._get(_path("/v1/notices/{}/versions/{}", name, number))

    def write_notice(self, name: str, **body: Any) -> Json:
        """Store the next version of a notice: `text`, `languages`, `channel`, `audience`, and `others` if there are."""
        return self._write("/v1/notices", {"notice": name, **body})

    def serve_notice(self, name: str, people: Sequence[str], *, at: int) -> Json:
        """Record that people were told."""
        return self._write(_path("/v1/notices/{}/servings", name), {"people": list(people), "at": at})

    def policy_sets(self) -> Iterator[Json]:
        """Yield the policy sets in force."""
        return self._rows("/v1/policy-sets", "policy_sets")

    def policy_set(self, name: str) -> Json:
        """Return a policy set with its rules and its text."""
        return self._get(_path("/v1/policy-sets/{}", name))

    def policy_versions(self, name: str) -> list[Json]:
        """Return what was in force under a name, oldest first."""
        found: list[Json] = self._get(_path("/v1/policy-sets/{}/versions", name))["versions"]
        return found

    def policy_differences(self, name: str, *, before: int, after: int) -> list[str]:
        """Say what changed between two versions, by the positions from which they were in force."""
        asked = {"before": str(before), "after": str(after)}
        found: list[str] = self._get(_path("/v1/policy-sets/{}/differences", name), asked)["differences"]
        return found

    def check_policy(self, text: str) -> Json:
        """Say what is wrong with a policy set, or what it would change."""
        return self._post("/v1/policy-sets/check", {"text": text})

    def policy_proposals(self) -> Iterator[Json]:
        """Yield the proposals, oldest first."""
        return self._rows("/v1/policy-proposals", "proposals")

    def policy_proposal(self, name: str) -> Json:
        """Return a proposal with its text and what it would change."""
        return self._get(_path("/v1/policy-proposals/{}", name))

    def propose_policy(self, text: str, *, reason: str) -> Json:
        """Propose a policy set."""
        return self._write("/v1/policy-proposals", {"text": text, "reason": reason})

    def approve_policy(self, proposal: str) -> Json:
        """Agree to a proposal; the second person puts it in force."""
        return self._write(_path("/v1/policy-proposals/{}/approvals", proposal), {})

    def withdraw_proposal(self, proposal: str) -> Json:
        """Take a proposal back, or say no to it."""
        return self._write(_path("/v1/policy-proposals/{}/withdrawal", proposal), {})

    def leases(self) -> list[Json]:
        """Return every lease. Jobs hold theirs with `consentry.training`."""
        found: list[Json] = self._get("/v1/leases")["leases"]
        return found

    def ready(self) -> Json:
        """Say whether requests can be answered."""
        return self._get("/readyz")

    def version(self) -> Json:
        """Say which program answers."""
        return self._get("/version")


def _path(template: str, *parts: object) -> str:
    """Return an address with names in it, each as one part of the path whatever it holds.

    Raises:
        InputError: a name is empty, `.` or `..`, which in an address mean another one.
    """
    named = [str(each) for each in parts]
    for each in named:
        if each in ("", ".", ".."):
            raise InputError(
                "serve-malformed", f"`{each}` cannot be a name in an address", help="which one? give its name"
            )
    return template.format(*(quote(each, safe="") for each in named))
