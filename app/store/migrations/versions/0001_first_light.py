"""First light: conversations as trees, bodies with full-text search, growth, facts, drafts, models."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None

TABLES = (
    """
    CREATE TABLE conversations (
        "row" INTEGER PRIMARY KEY NOT NULL,
        id TEXT NOT NULL UNIQUE,
        title TEXT NOT NULL,
        title_by_person INTEGER NOT NULL,
        created_ms INTEGER NOT NULL,
        updated_ms INTEGER NOT NULL,
        deleted_ms INTEGER,
        leaf_row INTEGER,
        model_id TEXT NOT NULL,
        system_prompt TEXT NOT NULL,
        sampling TEXT
    ) STRICT
    """,
    "CREATE INDEX conversations_updated ON conversations (deleted_ms, updated_ms)",
    """
    CREATE TABLE messages (
        "row" INTEGER PRIMARY KEY NOT NULL,
        id TEXT NOT NULL UNIQUE,
        conversation_row INTEGER NOT NULL REFERENCES conversations ("row"),
        parent_row INTEGER REFERENCES messages ("row"),
        role TEXT NOT NULL,
        state TEXT NOT NULL,
        created_ms INTEGER NOT NULL,
        length INTEGER NOT NULL,
        newlines INTEGER NOT NULL,
        owner TEXT
    ) STRICT
    """,
    """
    CREATE INDEX messages_tree ON messages
        (conversation_row, parent_row, "row", id, role, state, length, newlines)
    """,
    "CREATE INDEX messages_parent ON messages (parent_row)",
    "CREATE INDEX messages_owner ON messages (owner) WHERE owner IS NOT NULL",
    """
    CREATE TABLE bodies (
        message_row INTEGER PRIMARY KEY NOT NULL REFERENCES messages ("row"),
        text TEXT NOT NULL,
        thinking TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE growth (
        message_row INTEGER NOT NULL REFERENCES messages ("row"),
        thinking INTEGER NOT NULL,
        "offset" INTEGER NOT NULL,
        text TEXT NOT NULL,
        PRIMARY KEY (message_row, thinking, "offset")
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE reply_facts (
        message_row INTEGER PRIMARY KEY NOT NULL REFERENCES messages ("row"),
        model_id TEXT NOT NULL,
        model_name TEXT NOT NULL,
        sampling TEXT,
        system_prompt TEXT NOT NULL,
        n_ctx INTEGER NOT NULL,
        prompt_tokens INTEGER,
        cached_tokens INTEGER,
        completion_tokens INTEGER,
        prompt_s REAL,
        decode_s REAL,
        ttft_s REAL,
        seed INTEGER,
        finish_reason TEXT,
        tokenizer TEXT NOT NULL,
        token_ids BLOB NOT NULL,
        thinking_s REAL NOT NULL,
        left_out TEXT NOT NULL,
        error_code TEXT NOT NULL,
        error_sentence TEXT NOT NULL,
        error_detail TEXT NOT NULL
    ) STRICT
    """,
    "CREATE TABLE drafts (place TEXT PRIMARY KEY NOT NULL, text TEXT NOT NULL, updated_ms INTEGER NOT NULL) STRICT",
    """
    CREATE TABLE models (
        id TEXT PRIMARY KEY NOT NULL,
        root TEXT NOT NULL,
        path TEXT NOT NULL,
        name TEXT NOT NULL,
        architecture TEXT NOT NULL,
        quantization TEXT NOT NULL,
        size_bytes INTEGER NOT NULL,
        n_params INTEGER NOT NULL,
        n_ctx_train INTEGER NOT NULL,
        fingerprint TEXT NOT NULL,
        sha256 TEXT,
        is_starter INTEGER NOT NULL,
        license TEXT NOT NULL,
        problem TEXT NOT NULL,
        UNIQUE (root, path)
    ) STRICT
    """,
)

# (full-text table, what it indexes, its key, its column). The text stays in the indexed table ("external content").
SEARCHED = (("message_search", "bodies", "message_row", "text"), ("title_search", "conversations", "row", "title"))

SEARCH = (
    """
    CREATE VIRTUAL TABLE {search} USING fts5(
        {column}, content='{table}', content_rowid='{key}', tokenize='unicode61 remove_diacritics 2'
    )
    """,
    "INSERT INTO {search} ({search}, rank) VALUES ('secure-delete', 1)",
    """
    CREATE TRIGGER {search}_insert AFTER INSERT ON {table} BEGIN
        INSERT INTO {search} (rowid, {column}) VALUES (new."{key}", new.{column});
    END
    """,
    """
    CREATE TRIGGER {search}_delete AFTER DELETE ON {table} BEGIN
        INSERT INTO {search} ({search}, rowid, {column}) VALUES ('delete', old."{key}", old.{column});
    END
    """,
    """
    CREATE TRIGGER {search}_update AFTER UPDATE OF {column} ON {table} WHEN old.{column} IS NOT new.{column} BEGIN
        INSERT INTO {search} ({search}, rowid, {column}) VALUES ('delete', old."{key}", old.{column});
        INSERT INTO {search} (rowid, {column}) VALUES (new."{key}", new.{column});
    END
    """,
)


def upgrade() -> None:
    """From an empty file."""
    for statement in TABLES:
        op.execute(statement)
    for search, table, key, column in SEARCHED:
        for statement in SEARCH:
            op.execute(statement.format(search=search, table=table, key=key, column=column))
