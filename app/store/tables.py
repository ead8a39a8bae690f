"""The tables as typed models, equal to what the newest migration leaves behind (a test compares them).

Other tables refer to `row`, a small integer; the outside knows only `id`. The full-text tables are virtual and
described by their migration alone. Statements are written with these models; objects of them are never made.
"""

from __future__ import annotations

from typing import ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """All tables are STRICT, so only SQLite's own types are used."""

    type_annotation_map: ClassVar = {str: sa.TEXT(), int: sa.INTEGER(), float: sa.REAL(), bytes: sa.BLOB()}


class ConversationRow(Base):
    """A conversation. `leaf_row` is the last message of the visible path; `deleted_ms` is set while a deletion can be
    undone.

    `sampling` is JSON with every field, so that a later change of a default does not change it; NULL: see the settings.
    """

    __tablename__ = "conversations"

    row: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(unique=True)
    title: Mapped[str]
    title_by_person: Mapped[int]
    created_ms: Mapped[int]
    updated_ms: Mapped[int]
    deleted_ms: Mapped[int | None]
    leaf_row: Mapped[int | None]  # no foreign key: it would make a circle, and choosing is the only writer
    model_id: Mapped[str]
    system_prompt: Mapped[str]
    sampling: Mapped[str | None]

    __table_args__ = (sa.Index("conversations_updated", "deleted_ms", "updated_ms"),)


class MessageRow(Base):
    """A node of the tree, without its text, so that ten thousand of them are read from one covering index.

    `length` and `newlines` count characters of the text; both are 0 while a reply is live, and so `owner` is set: the
    process that writes it.
    """

    __tablename__ = "messages"

    row: Mapped[int] = mapped_column(primary_key=True)  # ascends with age: the order of siblings
    id: Mapped[str] = mapped_column(unique=True)
    conversation_row: Mapped[int] = mapped_column(sa.ForeignKey("conversations.row"))
    parent_row: Mapped[int | None] = mapped_column(sa.ForeignKey("messages.row"))
    role: Mapped[str]
    state: Mapped[str]
    created_ms: Mapped[int]
    length: Mapped[int]
    newlines: Mapped[int]
    owner: Mapped[str | None]

    __table_args__ = (
        sa.Index("messages_tree", "conversation_row", "parent_row", "row", "id", "role", "state", "length", "newlines"),
        sa.Index("messages_parent", "parent_row"),
        sa.Index("messages_owner", "owner", sqlite_where=sa.text("owner IS NOT NULL")),
    )


class BodyRow(Base):
    """The text of a message; a reply has none before it ends. Full-text search follows this table by triggers."""

    __tablename__ = "bodies"

    message_row: Mapped[int] = mapped_column(sa.ForeignKey("messages.row"), primary_key=True)
    text: Mapped[str]
    thinking: Mapped[str]


class GrowthRow(Base):
    """A piece of a live reply, at a character offset of its text or its thinking."""

    __tablename__ = "growth"

    message_row: Mapped[int] = mapped_column(sa.ForeignKey("messages.row"), primary_key=True)
    thinking: Mapped[int] = mapped_column(primary_key=True)
    offset: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]

    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 - SQLAlchemy declares it as an instance variable


class FactsRow(Base):
    """How a reply came to be. The generation's columns are NULL together, when nothing was generated.

    `sampling` and `left_out` are JSON; `token_ids` are 32-bit little-endian integers.
    """

    __tablename__ = "reply_facts"

    message_row: Mapped[int] = mapped_column(sa.ForeignKey("messages.row"), primary_key=True)
    model_id: Mapped[str]
    model_name: Mapped[str]
    sampling: Mapped[str | None]
    system_prompt: Mapped[str]
    n_ctx: Mapped[int]
    prompt_tokens: Mapped[int | None]
    cached_tokens: Mapped[int | None]
    completion_tokens: Mapped[int | None]
    prompt_s: Mapped[float | None]
    decode_s: Mapped[float | None]
    ttft_s: Mapped[float | None]
    seed: Mapped[int | None]
    finish_reason: Mapped[str | None]
    tokenizer: Mapped[str]
    token_ids: Mapped[bytes]
    thinking_s: Mapped[float]
    left_out: Mapped[str]
    error_code: Mapped[str]
    error_sentence: Mapped[str]
    error_detail: Mapped[str]


class DraftRow(Base):
    """What stands unsent in a composer. `place` is a conversation's id, or 'new'."""

    __tablename__ = "drafts"

    place: Mapped[str] = mapped_column(primary_key=True)
    text: Mapped[str]
    updated_ms: Mapped[int]


class ModelRow(Base):
    """A GGUF file. `path` is relative to `root` ('models': the person's folder, 'resources': ours) or absolute ('').

    `sha256` is of each whole file, in order, with spaces between; NULL while unknown. `projector` is relative to the
    folder of `path` where it can be. `revision` is the commit on the Hub.
    """

    __tablename__ = "models"

    id: Mapped[str] = mapped_column(primary_key=True)
    root: Mapped[str]
    path: Mapped[str]
    name: Mapped[str]
    architecture: Mapped[str]
    quantization: Mapped[str]
    size_bytes: Mapped[int]
    n_params: Mapped[int]
    n_ctx_train: Mapped[int]
    fingerprint: Mapped[str]
    sha256: Mapped[str | None]
    is_starter: Mapped[int]
    license: Mapped[str]
    problem: Mapped[str]
    mtime_ns: Mapped[int]
    parts: Mapped[int]
    origin: Mapped[str]
    repo: Mapped[str]
    revision: Mapped[str]
    remote_path: Mapped[str]
    projector: Mapped[str]

    __table_args__ = (sa.UniqueConstraint("root", "path"),)


class LedgerRow(Base):
    """What one action of the person sent to one host, or wanted to send. Byte counts are those of privacy/ledger.py."""

    __tablename__ = "ledger"

    id: Mapped[str] = mapped_column(primary_key=True)
    action_id: Mapped[str]
    purpose: Mapped[str]
    what: Mapped[str]
    host: Mapped[str]
    first_ms: Mapped[int]
    last_ms: Mapped[int]
    requests: Mapped[int]
    sent_bytes: Mapped[int]
    received_bytes: Mapped[int]
    outcome: Mapped[str]
    local: Mapped[int]
    reason: Mapped[str]

    __table_args__ = (sa.UniqueConstraint("action_id", "host"), sa.Index("ledger_newest", "last_ms"))


class DownloadRow(Base):
    """A download in the queue. `files` is JSON; `folder` is relative to `root` as a model's path is; `owner` is the
    process that fetches it."""

    __tablename__ = "downloads"

    id: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int]
    endpoint: Mapped[str]
    repo: Mapped[str]
    revision: Mapped[str]
    label: Mapped[str]
    files: Mapped[str]
    root: Mapped[str]
    folder: Mapped[str]
    state: Mapped[str]
    done_bytes: Mapped[int]
    created_ms: Mapped[int]
    finished_ms: Mapped[int]
    code: Mapped[str]
    sentence: Mapped[str]
    owner: Mapped[str | None]

    __table_args__ = (sa.Index("downloads_order", "position"),)


for _table in Base.metadata.tables.values():
    _table.dialect_options["sqlite"]["strict"] = True
