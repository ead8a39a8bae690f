"""The network ledger: one row per action and host."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

STATEMENTS = (
    """
    CREATE TABLE ledger (
        id TEXT PRIMARY KEY NOT NULL,
        action_id TEXT NOT NULL,
        purpose TEXT NOT NULL,
        what TEXT NOT NULL,
        host TEXT NOT NULL,
        first_ms INTEGER NOT NULL,
        last_ms INTEGER NOT NULL,
        requests INTEGER NOT NULL,
        sent_bytes INTEGER NOT NULL,
        received_bytes INTEGER NOT NULL,
        outcome TEXT NOT NULL,
        local INTEGER NOT NULL,
        reason TEXT NOT NULL,
        UNIQUE (action_id, host)
    ) STRICT
    """,
    "CREATE INDEX ledger_newest ON ledger (last_ms)",
)


def upgrade() -> None:
    """Adds an empty ledger."""
    for statement in STATEMENTS:
        op.execute(statement)
