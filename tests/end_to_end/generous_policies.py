"""Policy sets that permit more than those that are shipped: so much is decided otherwise by what people say."""

from __future__ import annotations

from consentry.policy.library import shipped

OPEN = """
[policy_set]
name = "open"
version = "1"
title = "Everything but of minors"
purposes = ["train-ai", "evaluate"]
[[permit]]
id = "everything"
why = "For tests: nearly everything is permitted."
legal_basis = "contract"
[[forbid]]
id = "minors"
why = "Nothing by or about minors."
age = ["minor"]
"""

WINDOW = """
[policy_set]
name = "window"
version = "1"
title = "Only a window of dates, after a notice"
purposes = ["train-ai"]
[[permit]]
id = "after-notice"
why = "People were told and had time."
legal_basis = "legitimate-interests"
age = ["adult"]
where.outside = ["UK"]
created = { from = 2025-01-01 }
notice = { id = "n1", days = 1 }
[[permit]]
id = "said-yes"
why = "They agreed."
legal_basis = "consent"
choice = ["allowed"]
[[forbid]]
id = "private"
why = "Private is private."
visibility = ["private"]
"""


def policies() -> dict[str, str]:
    return {"open": OPEN, "window": WINDOW, **shipped()}
