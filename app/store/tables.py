"""The tables, equal to what the newest migration leaves behind (a test compares them).

Other tables refer to `row`, a small integer; the outside knows only `id`. The full-text tables are virtual and
described by their migration alone. Columns are attributes of a class, as in SQLAlchemy's ORM, which is not used: it
would be a third of what the store takes in memory and in time at the start, for objects that are never made.
"""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

import sqlalchemy as sa
from sqlalchemy.types import TypeEngine

T = TypeVar("T")

METADATA = sa.MetaData()


class Row:
    """One table, named and described by its class: wherever SQLAlchemy wants a table, the class will do.

    All tables are STRICT, so only SQLite's own types are used.
    """

    table: ClassVar[sa.Table]

    def __init_subclass__(cls, *, name: str, more: tuple[sa.schema.SchemaItem, ...] = (), **options: Any) -> None:
        """`more`: indexes and constraints over several columns; `options`: those of sa.Table."""
        columns = {key: value for key, value in vars(cls).items() if isinstance(value, sa.Column)}
        for key, column in columns.items():
            column.name = column.key = key
        cls.table = sa.Table(name, METADATA, *columns.values(), *more, sqlite_strict=True, **options)

    @classmethod
    def __clause_element__(cls) -> sa.Table:
        return cls.table


def _column(
    kind: type[TypeEngine[T]],
    refers_to: str = "",
    *,
    key: bool = False,
    unique: bool | None = None,
    optional: bool = False,
    default: str | None = None,
) -> sa.ColumnClause[T]:
    """A column; `refers_to`: 'table.column' of a foreign key; `default`: what rows of an earlier schema have."""
    foreign = [sa.ForeignKey(refers_to)] if refers_to else []
    return sa.Column(kind(), *foreign, primary_key=key, unique=unique, nullable=optional, server_default=default)


class ConversationRow(
    Row,
    name="conversations",
    more=(sa.Index("conversations_updated", "deleted_ms", "updated_ms"),),
):
    """A conversation. `leaf_row` is the last message of the visible path; `deleted_ms` is set while a deletion can be
    undone.

    `sampling` is JSON with every field, so that a later change of a default does not change it; NULL: see the settings.
    """

    row = _column(sa.INTEGER, key=True)
    id = _column(sa.TEXT, unique=True)
    title = _column(sa.TEXT)
    title_by_person = _column(sa.INTEGER)
    created_ms = _column(sa.INTEGER)
    updated_ms = _column(sa.INTEGER)
    deleted_ms = _column(sa.INTEGER, optional=True)
    leaf_row = _column(sa.INTEGER, optional=True)  # a foreign key would make a circle; choosing is the only writer
    model_id = _column(sa.TEXT)
    system_prompt = _column(sa.TEXT)
    sampling = _column(sa.TEXT, optional=True)
    policy = _column(sa.TEXT, default="rolling")
    adapters = _column(sa.TEXT, default="[]")


class MessageRow(
    Row,
    name="messages",
    more=(
        sa.Index("messages_tree", "conversation_row", "parent_row", "row", "id", "role", "state", "length", "newlines"),
        sa.Index("messages_parent", "parent_row"),
        sa.Index("messages_owner", "owner", sqlite_where=sa.text("owner IS NOT NULL")),
    ),
):
    """A node of the tree, without its text, so that ten thousand of them are read from one covering index.

    `length` and `newlines` count characters of the text; both are 0 while a reply is live, and so `owner` is set: the
    process that writes it.
    """

    row = _column(sa.INTEGER, key=True)  # ascends with age: the order of siblings
    id = _column(sa.TEXT, unique=True)
    conversation_row = _column(sa.INTEGER, "conversations.row")
    parent_row = _column(sa.INTEGER, "messages.row", optional=True)
    role = _column(sa.TEXT)
    state = _column(sa.TEXT)
    created_ms = _column(sa.INTEGER)
    length = _column(sa.INTEGER)
    newlines = _column(sa.INTEGER)
    owner = _column(sa.TEXT, optional=True)


class BodyRow(Row, name="bodies"):
    """The text of a message; a reply has none before it ends. Full-text search follows this table by triggers."""

    message_row = _column(sa.INTEGER, "messages.row", key=True)
    text = _column(sa.TEXT)
    thinking = _column(sa.TEXT)


class GrowthRow(Row, name="growth", sqlite_with_rowid=False):
    """A piece of a live reply, at a character offset of its text or its thinking."""

    message_row = _column(sa.INTEGER, "messages.row", key=True)
    thinking = _column(sa.INTEGER, key=True)
    offset = _column(sa.INTEGER, key=True)
    text = _column(sa.TEXT)


class FactsRow(Row, name="reply_facts"):
    """How a reply came to be. The generation's columns are NULL together, when nothing was generated.

    `sampling`, `left_out`, `kept_before`, `adapters` and `devices` are JSON; `token_ids` are 32-bit little-endian
    integers. In rows from before schema 0005 `first_kept` is empty, and the generation's last four columns are NULL.
    """

    message_row = _column(sa.INTEGER, "messages.row", key=True)
    model_id = _column(sa.TEXT)
    model_name = _column(sa.TEXT)
    sampling = _column(sa.TEXT, optional=True)
    system_prompt = _column(sa.TEXT)
    n_ctx = _column(sa.INTEGER)
    prompt_tokens = _column(sa.INTEGER, optional=True)
    cached_tokens = _column(sa.INTEGER, optional=True)
    completion_tokens = _column(sa.INTEGER, optional=True)
    prompt_s = _column(sa.REAL, optional=True)
    decode_s = _column(sa.REAL, optional=True)
    ttft_s = _column(sa.REAL, optional=True)
    seed = _column(sa.INTEGER, optional=True)
    finish_reason = _column(sa.TEXT, optional=True)
    tokenizer = _column(sa.TEXT)
    token_ids = _column(sa.BLOB)
    thinking_s = _column(sa.REAL)
    left_out = _column(sa.TEXT)
    error_code = _column(sa.TEXT)
    error_sentence = _column(sa.TEXT)
    error_detail = _column(sa.TEXT)
    shifted_tokens = _column(sa.INTEGER, optional=True)
    dropped_tokens = _column(sa.INTEGER, optional=True)
    drafted_tokens = _column(sa.INTEGER, optional=True)
    accepted_tokens = _column(sa.INTEGER, optional=True)
    first_kept = _column(sa.TEXT, default="")
    kept_before = _column(sa.TEXT, default="[]")
    trimmed = _column(sa.INTEGER, default="0")
    note = _column(sa.TEXT, default="")
    reread_tokens = _column(sa.INTEGER, default="0")
    adapters = _column(sa.TEXT, default="[]")
    devices = _column(sa.TEXT, default="[]")


class MarkRow(Row, name="marks"):
    """A message that was pinned or left out by hand."""

    message_row = _column(sa.INTEGER, "messages.row", key=True)
    mark = _column(sa.TEXT)


class NoteRow(Row, name="notes", more=(sa.Index("notes_of", "conversation_row"),)):
    """A summary of the messages after `after_row` (NULL: from the first on) up to `upto_row`."""

    id = _column(sa.TEXT, key=True)
    conversation_row = _column(sa.INTEGER, "conversations.row")
    after_row = _column(sa.INTEGER, "messages.row", optional=True)
    upto_row = _column(sa.INTEGER, "messages.row")
    text = _column(sa.TEXT)
    by_person = _column(sa.INTEGER)
    created_ms = _column(sa.INTEGER)


class DraftRow(Row, name="drafts"):
    """What stands unsent in a composer. `place` is a conversation's id, 'new', or the id of a message being edited."""

    place = _column(sa.TEXT, key=True)
    text = _column(sa.TEXT)
    updated_ms = _column(sa.INTEGER)


class ModelRow(
    Row,
    name="models",
    more=(sa.UniqueConstraint("root", "path"),),
):
    """A GGUF file. `path` is relative to `root` ('models': the person's folder, 'resources': ours) or absolute ('').

    `sha256` is of each whole file, in order, with spaces between; NULL while unknown. `projector` is relative to the
    folder of `path` where it can be. `revision` is the commit on the Hub.
    """

    id = _column(sa.TEXT, key=True)
    root = _column(sa.TEXT)
    path = _column(sa.TEXT)
    name = _column(sa.TEXT)
    architecture = _column(sa.TEXT)
    quantization = _column(sa.TEXT)
    size_bytes = _column(sa.INTEGER)
    n_params = _column(sa.INTEGER)
    n_ctx_train = _column(sa.INTEGER)
    fingerprint = _column(sa.TEXT)
    sha256 = _column(sa.TEXT, optional=True)
    is_starter = _column(sa.INTEGER)
    license = _column(sa.TEXT)
    problem = _column(sa.TEXT)
    mtime_ns = _column(sa.INTEGER)
    parts = _column(sa.INTEGER)
    origin = _column(sa.TEXT)
    repo = _column(sa.TEXT)
    revision = _column(sa.TEXT)
    remote_path = _column(sa.TEXT)
    projector = _column(sa.TEXT)


class LoadPlanRow(Row, name="load_plans"):
    """How a model was loaded the last time it worked, on `machine` (a name of memory and devices). `options` is JSON.

    `stepped_down`: the sentence of the step that worked where the full plan did not; empty otherwise.
    """

    model_id = _column(sa.TEXT, key=True)
    machine = _column(sa.TEXT)
    options = _column(sa.TEXT)
    stepped_down = _column(sa.TEXT)
    by_person = _column(sa.INTEGER)
    made_ms = _column(sa.INTEGER)


class LedgerRow(
    Row,
    name="ledger",
    more=(sa.UniqueConstraint("action_id", "host"), sa.Index("ledger_newest", "last_ms")),
):
    """What one action of the person sent to one host, or wanted to send. Byte counts are those of privacy/ledger.py."""

    id = _column(sa.TEXT, key=True)
    action_id = _column(sa.TEXT)
    purpose = _column(sa.TEXT)
    what = _column(sa.TEXT)
    host = _column(sa.TEXT)
    first_ms = _column(sa.INTEGER)
    last_ms = _column(sa.INTEGER)
    requests = _column(sa.INTEGER)
    sent_bytes = _column(sa.INTEGER)
    received_bytes = _column(sa.INTEGER)
    outcome = _column(sa.TEXT)
    local = _column(sa.INTEGER)
    reason = _column(sa.TEXT)


class DownloadRow(
    Row,
    name="downloads",
    more=(sa.Index("downloads_order", "position"),),
):
    """A download in the queue. `files` is JSON; `folder` is relative to `root` as a model's path is; `owner` is the
    process that fetches it."""

    id = _column(sa.TEXT, key=True)
    position = _column(sa.INTEGER)
    endpoint = _column(sa.TEXT)
    repo = _column(sa.TEXT)
    revision = _column(sa.TEXT)
    label = _column(sa.TEXT)
    files = _column(sa.TEXT)
    root = _column(sa.TEXT)
    folder = _column(sa.TEXT)
    state = _column(sa.TEXT)
    done_bytes = _column(sa.INTEGER)
    created_ms = _column(sa.INTEGER)
    finished_ms = _column(sa.INTEGER)
    code = _column(sa.TEXT)
    sentence = _column(sa.TEXT)
    owner = _column(sa.TEXT, optional=True)
