"""How models were loaded: a plan per model, the devices of a reply, and adapters of conversations and replies."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"

STATEMENTS = (
    """
    CREATE TABLE load_plans (
        model_id TEXT PRIMARY KEY NOT NULL,
        machine TEXT NOT NULL,
        options TEXT NOT NULL,
        stepped_down TEXT NOT NULL,
        by_person INTEGER NOT NULL,
        made_ms INTEGER NOT NULL
    ) STRICT
    """,
    "ALTER TABLE conversations ADD COLUMN adapters TEXT NOT NULL DEFAULT '[]'",
    "ALTER TABLE reply_facts ADD COLUMN adapters TEXT NOT NULL DEFAULT '[]'",
    "ALTER TABLE reply_facts ADD COLUMN devices TEXT NOT NULL DEFAULT '[]'",
)


def upgrade() -> None:
    """Adds an empty table, and columns that are empty for what was there before."""
    for statement in STATEMENTS:
        op.execute(statement)
