"""The verbs of Consentry: all that the command line and the service may call.

Each verb is short and keeps the order that makes it safe: read, decide, write, then say so in the ledger. What a verb
returns is plain data; how it is shown is the caller's business.

One `ControlPlane` may be used by several threads: a lock guards the present, and the ledger's head lock guards sealing.
"""

from __future__ import annotations

from consentry.control_plane.asking import Asking
from consentry.control_plane.building import Building
from consentry.control_plane.case_steps import CaseSteps
from consentry.control_plane.destroying import Destroying
from consentry.control_plane.looking_up import LookingUp
from consentry.control_plane.parts import Parts
from consentry.control_plane.proposing import Proposing
from consentry.control_plane.reporting import Reporting
from consentry.control_plane.statements import Statements


class ControlPlane(Statements, Building, Destroying, CaseSteps, Reporting, Asking):
    """A deployment at work."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self.proposals = Proposing(self)
        self.look_ups = LookingUp(self, uses_of=self.uses_of)
