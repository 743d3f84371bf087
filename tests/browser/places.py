"""Every page there is, and who looks at it: for the accessibility tests and for the screenshots."""

from __future__ import annotations

from typing import NamedTuple


class Page(NamedTuple):
    """A page: what its picture is called, its address, and who sees it (an account, `member`, `minor`, or nobody)."""

    name: str
    path: str
    who: str = ""


CASE = "uk-2024"
PUBLIC = (
    Page("front", "/"),
    Page("transparency", "/transparency"),
    Page("accessibility", "/accessibility"),
    Page("object", "/object"),
    Page("sign-in", "/sign-in"),
    Page("not-there", "/nowhere"),
    Page("interface", "/docs"),
)
MEMBER = (
    Page("settings", "/me", "member"),
    Page("settings-minor", "/me", "minor"),
    Page("settings-check", "/me/check?purpose=train-genai", "member"),
    Page("items", "/me/items", "member"),
    Page("history", "/me/history", "member"),
    Page("uses", "/me/uses", "member"),
    Page("away", "/me"),
)
STAFF = (
    Page("overview", "/console/overview", "olga"),
    Page("cases", "/console/cases", "olga"),
    Page("case", f"/console/cases/{CASE}", "olga"),
    Page("open-case", "/console/open-case", "olga"),
    Page("orders", "/console/orders", "olga"),
    Page("suspend", "/console/suspend", "olga"),
    Page("releases", "/console/releases", "olga"),
    Page("release", "/console/releases/{release}", "olga"),
    Page("compare-releases", "/console/compare-releases?before={before}&after={release}", "olga"),
    Page("jobs", "/console/jobs", "emma"),
    Page("models", "/console/models", "olga"),
    Page("model", "/console/models/drafts-1", "olga"),
    Page("policies", "/console/policies", "olga"),
    Page("propose-policy", "/console/propose-policy", "olga"),
    Page("proposals", "/console/proposals", "olga"),
    Page("objections", "/console/objections", "sam"),
    Page("people", "/console/people", "sam"),
    Page("notices", "/console/notices", "olga"),
    Page("accounts", "/console/accounts", "ruth"),
    Page("keys", "/console/keys", "ruth"),
    Page("password", "/console/password", "ruth"),
)
AUTHORITY = (
    Page("authority", "/authority", "ico"),
    Page("authority-case", f"/authority/cases/{CASE}", "ico"),
    Page("authority-releases", "/authority/releases", "ico"),
    Page("authority-notices", "/authority/notices", "ico"),
    Page("authority-reports", "/authority/reports", "ico"),
    Page("authority-file", "/authority/file", "ico"),
)
IN_EVERY_LANGUAGE = (*PUBLIC[:6], *MEMBER)
ALL = (*PUBLIC, *MEMBER, *STAFF, *AUTHORITY)
