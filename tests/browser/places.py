"""Every page there is, and who looks at it: for the accessibility tests and for the screenshots."""

from __future__ import annotations

from typing import NamedTuple


class Page(NamedTuple):
    """A page.

    Attributes:
        name: what its picture is called.
        path: its address; names in braces are those of the world.
        who: an account, a member by what is the matter with them (`furnished.members_of`), or nobody.
        press: what is pressed there, one after the other, until it looks as it is meant.
        status: what it comes with.
        world: where it is: `story`, `bare` or `full` (`furnished.py`).
        write: what is written there before: names of fields, and words; names in braces are those of the world.
    """

    name: str
    path: str
    who: str = ""
    press: tuple[str, ...] = ()
    status: int = 200
    world: str = "story"
    write: tuple[tuple[str, str], ...] = ()


CASE = "uk-2024"
PUBLIC = (
    Page("front", "/"),
    Page("transparency", "/transparency"),
    Page("accessibility", "/accessibility"),
    Page("object", "/object"),
    Page("sign-in", "/sign-in"),
    Page("not-there", "/nowhere", status=404),
    Page("interface", "/docs"),
)
MEMBER = (
    Page("settings", "/me", "member"),
    Page("settings-changed", "/me?changed=train-genai/kind-post&changed=train-genai/answer", "member"),
    Page("settings-minor", "/me", "minor"),
    Page("settings-check", "/me/check?purpose=train-genai", "member"),
    Page("items", "/me/items", "member"),
    Page("history", "/me/history", "member"),
    Page("uses", "/me/uses", "member"),
    Page("away", "/me", status=401),
    Page("settings-saved", "/me?saved={saved}", "decided"),
    Page("settings-refused", "/me", "hasty", ("input[name=answer][value=yes]", ".use button"), status=422),
    Page("settings-stopped", "/me", "stopped"),
    Page("settings-nowhere", "/me", "nowhere"),
    Page("settings-stranger", "/me", "stranger"),
    Page("items-stranger", "/me/items", "stranger"),
    Page("uses-stranger", "/me/uses", "stranger"),
    Page("look-ups", "/me/look-ups", "member"),
    Page("history-decided", "/me/history", "decided"),
    Page("items-named", "/me/items", "named"),
    Page("items-check", "/me/items", "named", ("input[name=answer-1][value=no]", "button[formaction]")),
    Page("link-damaged", "/me/enter?token=damaged", status=422),
)
OBJECTOR = (
    Page("objection-new", "/object/follow/{link}?new=1"),
    Page("objection-followed", "/object/follow/{link}"),
    Page("objection-unknown", "/object/follow/nothing", status=404),
    Page("object-refused", "/object", press=("main form button:last-of-type",), status=422),
)
STAFF = (
    Page("overview", "/console/overview", "olga"),
    Page("cases", "/console/cases", "olga"),
    Page("case", f"/console/cases/{CASE}", "olga"),
    Page("open-case", "/console/open-case", "olga"),
    Page("conditions", "/console/conditions", "olga"),
    Page("reports", "/console/reports", "olga"),
    Page("orders", "/console/orders", "olga"),
    Page("suspend", "/console/suspend", "olga"),
    Page(
        "suspend-what-if",
        "/console/suspend",
        "olga",
        ("#purposes-train-genai", "button[value=look]"),
        write=(("case", "fr-2026"), ("reference", "letter of today"), ("areas", "FR")),
    ),
    Page("narrow", "/console/cases/br-2026/narrow", "olga"),
    Page(
        "narrow-what-if",
        "/console/cases/br-2026/narrow",
        "olga",
        ("#categories-image", "button[value=look]"),
        write=(("reference", "letter of today"),),
    ),
    Page("releases", "/console/releases", "olga"),
    Page("release", "/console/releases/{release}", "olga"),
    Page("release-files", "/console/releases/{release}/files", "olga"),
    Page("release-amendments", "/console/releases/{release}/amendments", "olga"),
    Page("compare-releases", "/console/compare-releases?before={before}&after={release}", "olga"),
    Page("jobs", "/console/jobs", "emma"),
    Page("models", "/console/models", "olga"),
    Page("model", "/console/models/drafts-1", "olga"),
    Page("model-losses", "/console/models/drafts-1/losses", "olga"),
    Page("model-jobs", "/console/models/drafts-1/jobs", "olga"),
    Page("policies", "/console/policies", "olga"),
    Page("propose-policy", "/console/propose-policy", "olga"),
    Page("proposals", "/console/proposals", "olga"),
    Page("objections", "/console/objections", "sam"),
    Page("people", "/console/people", "sam"),
    Page(
        "person",
        "/console/people",
        "sam",
        ("form.narrow button",),
        write=(("person", "{person}"), ("reason", "ticket 4711")),
    ),
    Page("notices", "/console/notices", "olga"),
    Page("accounts", "/console/accounts", "ruth"),
    Page("account", "/console/accounts/ico", "ruth"),
    Page("account-own", "/console/accounts/ruth", "ruth"),
    Page("acts", "/console/acts", "ada"),
    Page("paper", f"/console/cases/{CASE}/papers/{{paper}}", "olga"),
    Page("keys", "/console/keys", "ruth"),
    Page("password", "/console/password", "ruth"),
    Page("sessions", "/console/sessions", "ruth"),
    Page("overdue", "/console/overdue", "olga"),
    Page("timeline", f"/console/cases/{CASE}/timeline", "olga"),
    Page("moves", "/console/compare-releases/moves?before={before}&after={release}", "olga"),
    Page("servings", "/console/notices/what-we-use/servings", "olga"),
    Page("deliveries", "/console/webhooks/{webhook}/deliveries", "ruth"),
    Page("case-long", "/console/cases/{long}", "olga"),
    Page("explanation", "/console/releases/{release}/explain?item={item}", "olga"),
    Page("policy", "/console/policies/{policy}", "olga"),
    Page("compare-policies", "/console/compare-policies?before={policy_before}&after={policy}", "olga"),
    Page("proposal", "/console/proposals/{proposal}", "peter"),
    Page("objection", "/console/objections/{objection}", "sam"),
    Page("notice", "/console/notices/what-we-use", "olga"),
    Page("write-notice", "/console/write-notice?notice=what-we-use", "olga"),
    Page("notice-serving", "/console/notices/what-we-use", "olga", ("summary", "button[value=serve]"), status=422),
    Page("webhooks", "/console/webhooks", "ruth"),
    Page("webhook", "/console/webhooks/{webhook}", "ruth"),
    Page("forbidden", "/console/accounts", "olga", status=403),
)
EMPTY = tuple(
    Page(f"empty-{path.rpartition('/')[2] or 'front'}", path, who, world="bare")
    for path, who in (
        ("/transparency", ""),
        ("/me", "member"),
        ("/me/items", "member"),
        ("/me/history", "member"),
        ("/me/uses", "member"),
        ("/console/overview", "olga"),
        ("/console/cases", "olga"),
        ("/console/orders", "olga"),
        ("/console/jobs", "olga"),
        ("/console/policies", "olga"),
        ("/console/proposals", "olga"),
        ("/console/releases", "olga"),
        ("/console/models", "olga"),
        ("/console/objections", "olga"),
        ("/console/notices", "olga"),
        ("/console/keys", "ruth"),
        ("/console/webhooks", "ruth"),
        ("/authority", "ico"),
        ("/console/acts", "ada"),
    )
)
MANY = (
    Page("many-objections", "/console/objections", "sam", world="full"),
    Page("many-notices", "/console/notices?page=100", "olga", world="full"),
    Page("many-acts", "/console/acts?sort=at", "ada", world="full"),
    Page("many-jobs", "/console/jobs?sort=-step", "emma", world="full"),
    Page("many-choices", "/me/history", "member", world="full"),
)
AUTHORITY = (
    Page("authority", "/authority", "ico"),
    Page("authority-case", f"/authority/cases/{CASE}", "ico"),
    Page("authority-conditions", f"/authority/cases/{CASE}/conditions", "ico"),
    Page("authority-statements", f"/authority/cases/{CASE}/statements", "ico"),
    Page("authority-timeline", f"/authority/cases/{CASE}/timeline", "ico"),
    Page("authority-paper", f"/authority/cases/{CASE}/papers/{{paper}}", "ico"),
    Page("authority-cases", "/authority/cases", "ico"),
    Page("authority-orders", "/authority/orders", "ico"),
    Page("authority-releases", "/authority/releases", "ico"),
    Page("authority-models", "/authority/models", "ico"),
    Page("authority-notices", "/authority/notices", "ico"),
    Page("authority-reports", "/authority/reports", "ico"),
    Page("authority-file", "/authority/file", "ico"),
)
IN_EVERY_LANGUAGE = (*PUBLIC[:6], *MEMBER, *OBJECTOR)
ALL = (*PUBLIC, *MEMBER, *OBJECTOR, *STAFF, *AUTHORITY, *EMPTY, *MANY)
