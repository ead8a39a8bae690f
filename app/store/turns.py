"""How messages get into the tree and which path is shown, as work for the writer."""

from __future__ import annotations

import sqlalchemy as sa

from app.chat.messages import Message, Role
from app.store.errors import NotFound, StoreMisuse
from app.store.facts import write_facts
from app.store.tables import BodyRow, ConversationRow, MessageRow
from app.store.text import storable

_M = MessageRow
_C = ConversationRow


def insert(connection: sa.Connection, message: Message, owner: str) -> int:
    """A new message; its row. A live reply belongs to `owner`. Raises NotFound, StoreMisuse."""
    conversation = connection.scalar(sa.select(_C.row).where(_C.id == message.conversation_id))
    if conversation is None:
        raise NotFound(f"There is no conversation {message.conversation_id}.")
    parent = None
    if message.parent_id is not None:
        parent = connection.scalar(
            sa.select(_M.row).where(_M.id == message.parent_id, _M.conversation_row == conversation)
        )
        if parent is None:
            raise NotFound(f"There is no message {message.parent_id} in this conversation.")
    live = message.state.live
    if live and message.role is not Role.ASSISTANT:
        raise StoreMisuse("Only a reply can be live.")
    text = storable(message.text)
    result = connection.execute(
        sa.insert(_M).values(
            id=message.id,
            conversation_row=conversation,
            parent_row=parent,
            role=message.role.value,
            state=message.state.value,
            created_ms=message.created_ms,
            length=0 if live else len(text),
            newlines=0 if live else text.count("\n"),
            owner=owner if live else None,
        )
    )
    key = result.inserted_primary_key
    assert key is not None
    row = int(key[0])
    if not live:
        body = {"message_row": row, "text": text, "thinking": storable(message.thinking)}
        connection.execute(sa.insert(BodyRow).values(**body))
    if message.facts is not None:
        write_facts(connection, row, message.facts)
    return row


def show(connection: sa.Connection, message: Message, row: int) -> None:
    """The conversation's leaf is this message."""
    connection.execute(
        sa.update(_C)
        .where(_C.id == message.conversation_id)
        .values(leaf_row=row, updated_ms=sa.func.max(_C.updated_ms, message.created_ms))
    )


def choose(connection: sa.Connection, conversation_id: str, message_id: str) -> None:
    """Shows the path through this message, down to the newest message below it. Raises NotFound."""
    top = connection.execute(
        sa.select(_M.row, _M.conversation_row)
        .join(_C, _C.row == _M.conversation_row)
        .where(_M.id == message_id, _C.id == conversation_id)
    ).first()
    if top is None:
        raise NotFound(f"There is no message {message_id} in this conversation.")
    below = sa.select(sa.literal(top.row).label("row")).cte("below", recursive=True)
    below = below.union_all(
        sa.select(_M.row).join(below, _M.parent_row == below.c.row)
    )  # children are younger than parents: the newest has no children
    newest = sa.select(sa.func.max(below.c.row)).scalar_subquery()
    connection.execute(sa.update(_C).where(_C.row == top.conversation_row).values(leaf_row=newest))
