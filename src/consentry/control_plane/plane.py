"""The verbs of Consentry: all that the command line and the service may call.

Each verb is short and keeps the order that makes it safe: read, decide, write, then say so in the ledger. What a verb
returns is plain data; how it is shown is the caller's business.

One `ControlPlane` may be used by several threads: a lock guards the present, and the ledger's head lock guards sealing.
"""

from __future__ import annotations

from functools import cached_property

from consentry.control_plane.asking import Asking
from consentry.control_plane.authority_statements import AuthorityStatements
from consentry.control_plane.authority_view import AuthorityView
from consentry.control_plane.building import Building
from consentry.control_plane.case_steps import CaseSteps
from consentry.control_plane.destroying import Destroying
from consentry.control_plane.public_view import PublicView
from consentry.control_plane.reporting import Reporting
from consentry.control_plane.statements import Statements


class ControlPlane(Statements, Building, Destroying, CaseSteps, Reporting, Asking):
    """A deployment at work."""

    @cached_property
    def authority(self) -> AuthorityStatements:
        """What authorities file."""
        return AuthorityStatements(self, suspend=self.suspend, models=self.authority_view.model_names)

    @cached_property
    def authority_view(self) -> AuthorityView:
        """What an authority sees."""
        return AuthorityView(self, release=self.release, losses=self.losses)

    @cached_property
    def public_view(self) -> PublicView:
        """What anybody may know."""
        return PublicView(self, release=self.release)
