"""How many examples a property is tried with whose examples take long: few by default, twenty times that if asked."""

from __future__ import annotations

from hypothesis import settings

CAMPAIGN = "campaign"
"""The name of the profile of `./run test --hypothesis-profile=campaign`."""


def examples(few: int) -> int:
    """Return how many to try; asked while a test module is read, when the profile is chosen."""
    return few * 20 if settings.get_current_profile_name() == CAMPAIGN else few
