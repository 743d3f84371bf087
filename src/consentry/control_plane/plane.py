"""The verbs of Consentry: all that the command line and the service may call.

Each verb is short and keeps the order that makes it safe: read, decide, write, then say so in the ledger. What a verb
returns is plain data; how it is shown is the caller's business.

One `ControlPlane` may be used by several threads: a lock guards the present, and the ledger's head lock guards sealing.
"""

from __future__ import annotations

from functools import cached_property

from consentry.control_plane.asking import Asking
from consentry.control_plane.building import Building
from consentry.control_plane.case_steps import CaseSteps
from consentry.control_plane.destroying import Destroying
from consentry.control_plane.own_content import OwnContent
from consentry.control_plane.own_settings import OwnSettings
from consentry.control_plane.reporting import Reporting
from consentry.control_plane.statements import Statements


class ControlPlane(Statements, Building, Destroying, CaseSteps, Reporting, Asking):
    """A deployment at work."""

    @cached_property
    def own_settings(self) -> OwnSettings:
        """What a person sees of the use of their own content, and says about it."""
        return OwnSettings(self, self)

    @cached_property
    def own_content(self) -> OwnContent:
        """What became of a person's own content."""
        return OwnContent(self.own_settings, self)
