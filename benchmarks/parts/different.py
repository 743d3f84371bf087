"""Releases that differ: one for each purpose, with and without the UK. Others are copies of these (`copies.py`)."""

from __future__ import annotations

from consentry.control_plane.plane import ControlPlane
from consentry.ledger.oversight_events import OrderEnd, Origin
from consentry.oversight.order import Scope
from consentry.policy.vocabulary import Purpose
from parts.deployment import AT, CORPUS

PURPOSES = (
    Purpose.TRAIN_AI,
    Purpose.TRAIN_GENAI,
    Purpose.TRAIN_GENAI_TEXT,
    Purpose.TRAIN_GENAI_IMAGE,
    Purpose.EVALUATE,
)
DIFFERENT = 2 * len(PURPOSES)
"""How many there are."""
UK = Scope(areas=frozenset({"UK"}))
_NAME = "every-purpose"
_POLICY = f"""
[policy_set]
name = "{_NAME}"
version = "1"
title = "Everything by adults outside the EU"
purposes = ["train-ai", "evaluate"]
[[permit]]
id = "all"
why = "A benchmark."
legal_basis = "legitimate-interests"
age = ["adult"]
where.outside = ["EU"]
"""


def publish_for_every_purpose(control: ControlPlane) -> None:
    """Put the policy set in force that `build_different` builds with."""
    control.statements.publish(_POLICY, f"{_NAME}.toml")


def build_different(control: ControlPlane) -> list[str]:
    """Build `DIFFERENT` releases of the corpus; each second one is like that before it, but with the UK suspended."""

    def build(purpose: Purpose) -> str:
        return control.releases.build(CORPUS, purpose, policy=_NAME, at=AT).manifest.release

    found = []
    for purpose in PURPOSES:
        found.append(build(purpose))
        order = control.orders.suspend(UK, case="c-1", origin=Origin.OWN_DECISION, reference="a benchmark")
        found.append(build(purpose))
        control.desk.parts.ledger.append(control.orders.ends([order.order], OrderEnd.WITHDRAWN))
    return found
