"""What a ledger is known by: an id of its own, and the pseudonym key that its pseudonyms are made with."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID_BYTES = 16


def upgrade() -> None:
    """Create the table with the id, and the triggers that keep both rows as they were written."""
    table = op.create_table(
        "identity",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("value", sa.String, nullable=False),
    )
    op.bulk_insert(table, [{"name": "ledger", "value": secrets.token_hex(ID_BYTES)}])
    for statement in _refusals():
        op.execute(statement)


def downgrade() -> None:
    """Refuse: without its id a ledger would be taken for another, or another for it."""
    raise NotImplementedError("a ledger is never migrated down")


def _refusals() -> tuple[str, ...]:
    why = "the identity of a ledger is never changed"
    if op.get_bind().dialect.name == "sqlite":
        refusal = f"BEGIN SELECT RAISE(ABORT, '{why}'); END"
        # `INSERT OR REPLACE` deletes without asking the trigger on deletion.
        known = "WHEN EXISTS (SELECT 1 FROM identity WHERE name = NEW.name)"
        return (
            f"CREATE TRIGGER identity_update BEFORE UPDATE ON identity {refusal}",
            f"CREATE TRIGGER identity_delete BEFORE DELETE ON identity {refusal}",
            f"CREATE TRIGGER identity_insert BEFORE INSERT ON identity {known} {refusal}",
        )
    refusal = f"RAISE EXCEPTION '{why}' USING ERRCODE = 'integrity_constraint_violation'"
    return (
        f"CREATE FUNCTION identity_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {refusal}; END $$",
        "CREATE TRIGGER identity_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON identity EXECUTE FUNCTION identity_kept()",
    )
