"""What the model sees: a policy per conversation, marks on messages, notes of old turns, more facts of a reply."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"

STATEMENTS = (
    "ALTER TABLE conversations ADD COLUMN policy TEXT NOT NULL DEFAULT 'rolling'",
    """
    CREATE TABLE marks (
        message_row INTEGER PRIMARY KEY NOT NULL REFERENCES messages ("row"),
        mark TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE notes (
        id TEXT PRIMARY KEY NOT NULL,
        conversation_row INTEGER NOT NULL REFERENCES conversations ("row"),
        after_row INTEGER REFERENCES messages ("row"),
        upto_row INTEGER NOT NULL REFERENCES messages ("row"),
        text TEXT NOT NULL,
        by_person INTEGER NOT NULL,
        created_ms INTEGER NOT NULL
    ) STRICT
    """,
    "CREATE INDEX notes_of ON notes (conversation_row)",
    "ALTER TABLE reply_facts ADD COLUMN shifted_tokens INTEGER",
    "ALTER TABLE reply_facts ADD COLUMN dropped_tokens INTEGER",
    "ALTER TABLE reply_facts ADD COLUMN drafted_tokens INTEGER",
    "ALTER TABLE reply_facts ADD COLUMN accepted_tokens INTEGER",
    "ALTER TABLE reply_facts ADD COLUMN first_kept TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE reply_facts ADD COLUMN kept_before TEXT NOT NULL DEFAULT '[]'",
    "ALTER TABLE reply_facts ADD COLUMN trimmed INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE reply_facts ADD COLUMN note TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE reply_facts ADD COLUMN reread_tokens INTEGER NOT NULL DEFAULT 0",
)


def upgrade() -> None:
    """Adds columns and empty tables. Replies of before name every message that was left out, and go on doing so."""
    for statement in STATEMENTS:
        op.execute(statement)
