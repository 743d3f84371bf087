"""An index of the open events: what was ordered, granted and sealed is found without reading what millions chose."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the index; both stores know partial ones."""
    op.execute("CREATE INDEX events_open ON events (position) WHERE document IS NOT NULL")


def downgrade() -> None:
    """Refuse: a ledger is never migrated down."""
    raise NotImplementedError("a ledger is never migrated down")
