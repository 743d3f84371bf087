"""The first tables: head, events, personal, and the triggers that keep what was said from being changed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

REFUSALS = (
    ("events", "UPDATE", "events are never changed"),
    ("events", "DELETE", "events are never deleted"),
    ("personal", "UPDATE", "what a person said is never changed"),
    ("head", "DELETE", "the head is never deleted"),
)


def upgrade() -> None:
    """Create the tables, the one head row and the triggers."""
    position = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "head",
        sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.CheckConstraint("id = 1", name="one_head"),
    )
    op.execute("INSERT INTO head (id, position) VALUES (1, 0)")
    op.create_table(
        "events",
        sa.Column("position", position, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("version", sa.SmallInteger, nullable=False),
        sa.Column("recorded_at", sa.BigInteger, nullable=False),
        sa.Column("commitment", sa.LargeBinary, nullable=False),
        sa.Column("document", sa.LargeBinary),
    )
    op.create_table(
        "personal",
        sa.Column("position", position, sa.ForeignKey("events.position"), primary_key=True, autoincrement=False),
        sa.Column("person", sa.String(32)),
        sa.Column("other", sa.String(32)),
        sa.Column("salt", sa.LargeBinary, nullable=False),
        sa.Column("document", sa.LargeBinary, nullable=False),
    )
    op.create_index("personal_person", "personal", ["person"])
    op.create_index("personal_other", "personal", ["other"])
    for table, verb, why in REFUSALS:
        for statement in _refuse(table, verb, why):
            op.execute(statement)


def downgrade() -> None:
    """Refuse: dropping the tables would drop what people said."""
    raise NotImplementedError("a ledger is never migrated down")


def _refuse(table: str, verb: str, why: str) -> tuple[str, ...]:
    name = f"{table}_{verb.lower()}"
    if op.get_bind().dialect.name == "sqlite":
        return (f"CREATE TRIGGER {name} BEFORE {verb} ON {table} BEGIN SELECT RAISE(ABORT, '{why}'); END",)
    verbs = f"{verb} OR TRUNCATE" if verb == "DELETE" else verb
    refusal = f"RAISE EXCEPTION '{why}' USING ERRCODE = 'integrity_constraint_violation'"
    return (
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {refusal}; END $$",
        f"CREATE TRIGGER {name} BEFORE {verbs} ON {table} FOR EACH STATEMENT EXECUTE FUNCTION {name}()",
    )
