"""What the library remembers of a file: when it was written, whose it is, where on the Hub it came from."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"

STATEMENTS = (
    "ALTER TABLE models ADD COLUMN mtime_ns INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE models ADD COLUMN parts INTEGER NOT NULL DEFAULT 1",
    "ALTER TABLE models ADD COLUMN origin TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE models ADD COLUMN repo TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE models ADD COLUMN revision TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE models ADD COLUMN remote_path TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE models ADD COLUMN projector TEXT NOT NULL DEFAULT ''",
)


def upgrade() -> None:
    """Adds columns; the next look at the folders fills them."""
    for statement in STATEMENTS:
        op.execute(statement)
