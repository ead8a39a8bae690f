"""The queue of downloads."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"

STATEMENTS = (
    """
    CREATE TABLE downloads (
        id TEXT PRIMARY KEY NOT NULL,
        position INTEGER NOT NULL,
        endpoint TEXT NOT NULL,
        repo TEXT NOT NULL,
        revision TEXT NOT NULL,
        label TEXT NOT NULL,
        files TEXT NOT NULL,
        root TEXT NOT NULL,
        folder TEXT NOT NULL,
        state TEXT NOT NULL,
        done_bytes INTEGER NOT NULL,
        created_ms INTEGER NOT NULL,
        finished_ms INTEGER NOT NULL,
        code TEXT NOT NULL,
        sentence TEXT NOT NULL,
        owner TEXT
    ) STRICT
    """,
    "CREATE INDEX downloads_order ON downloads (position)",
)


def upgrade() -> None:
    """Adds an empty queue."""
    for statement in STATEMENTS:
        op.execute(statement)
