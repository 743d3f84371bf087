"""An index of the open events but what jobs report as consumed: an order is given without reading thousands of reports.

Of a job's rank one report comes every few seconds, for as long as it runs: soon they are nearly all open events.
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the index; both stores know partial ones."""
    op.execute("CREATE INDEX events_few ON events (position) WHERE document IS NOT NULL AND kind <> 'items.consumed'")


def downgrade() -> None:
    """Refuse: a ledger is never migrated down."""
    raise NotImplementedError("a ledger is never migrated down")
