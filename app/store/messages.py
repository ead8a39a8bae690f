"""The tree of messages: the visible path, bodies, siblings, and how turns and replies are added to it.

Nothing is ever overwritten: an edit or a regeneration is a sibling, and a conversation's leaf says which path is shown.
How messages are added is in turns.py, how a reply grows and ends in replies.py.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import Future
from operator import attrgetter
from typing import Any

import msgspec
import sqlalchemy as sa

from app.chat.messages import Conversation, Message, PathEntry, PathStep, ReplyFacts, ReplyState, Role
from app.store import conversations, replies, turns
from app.store.errors import NotFound
from app.store.facts import COLUMNS, facts_value
from app.store.ownership import Owner
from app.store.reader import Query, Reader
from app.store.tables import BodyRow, ConversationRow, FactsRow, GrowthRow, MessageRow
from app.store.writer import Writer

_M = MessageRow
_C = ConversationRow
_ROLES = {role.value: role for role in Role}
_STATES = {state.value: state for state in ReplyState}

_LEAF = Query(sa.select(_C.row, _C.leaf_row).where(_C.id == sa.bindparam("conversation", "")))
# All nodes of a conversation, from the index messages_tree alone, as one JSON text: decoding it takes half the
# time that the driver takes to make as many rows.
_TREE = Query(
    sa.select(
        sa.func.json_group_array(
            sa.func.json_array(_M.row, _M.parent_row, _M.id, _M.role, _M.state, _M.length, _M.newlines)
        )
    ).where(_M.conversation_row == sa.bindparam("conversation", 0))
)
_EXISTS = Query(sa.select(_M.row).where(_M.id == sa.bindparam("message", "")))
_BODY = Query(
    sa.select(BodyRow.text, BodyRow.thinking)
    .select_from(_M)
    .join(BodyRow, BodyRow.message_row == _M.row)
    .where(_M.id == sa.bindparam("message", ""))
)
_GROWTH = Query(
    sa.select(GrowthRow.thinking, GrowthRow.offset, GrowthRow.text)
    .join(_M, _M.row == GrowthRow.message_row)
    .where(_M.id == sa.bindparam("message", ""))
    .order_by(GrowthRow.offset)
)
_PARENT = MessageRow.table.alias()
_FULL = (
    sa.select(
        _M.id, _C.id, _PARENT.c.id, _M.role, BodyRow.text, BodyRow.thinking, _M.state, _M.created_ms, *COLUMNS
    )
    .select_from(_M)
    .join(_C, _C.row == _M.conversation_row)
    .outerjoin(_PARENT, _PARENT.c.row == _M.parent_row)
    .outerjoin(BodyRow, BodyRow.message_row == _M.row)
    .outerjoin(FactsRow, FactsRow.message_row == _M.row)
)  # fmt: skip
_given = sa.func.json_each(sa.bindparam("ids", "[]")).table_valued("value", name="given")
_MANY = Query(_FULL.where(_M.id.in_(sa.select(_given.c.value))))
_up = sa.select(_M.row, _M.parent_row, sa.literal(1).label("depth")).where(_M.id == sa.bindparam("leaf", ""))
_upwards = _up.cte("up", recursive=True)
_upwards = _upwards.union_all(
    sa.select(_M.row, _M.parent_row, _upwards.c.depth + 1)
    .join(_upwards, _M.row == _upwards.c.parent_row)
    .where(_upwards.c.depth < sa.bindparam("most", 0))
)
_TO_LEAF = Query(_FULL.where(_M.row.in_(sa.select(_upwards.c.row))).order_by(_M.row))  # parents have the smaller row
_STEPS_TO_LEAF = Query(
    sa.select(_M.id, _M.role, _M.length).where(_M.row.in_(sa.select(_upwards.c.row))).order_by(_M.row)
)
_SELF = MessageRow.table.alias()
_REPLY_BEFORE = Query(
    sa.select(_M.id)
    .join(_SELF, _SELF.c.conversation_row == _M.conversation_row)
    .where(_SELF.c.id == sa.bindparam("message", ""), _M.role == Role.ASSISTANT.value, _M.row < _SELF.c.row)
    .order_by(_M.row.desc())
    .limit(1)
)
_SIBLINGS = Query(
    sa.select(_M.id)
    .join(
        _SELF,
        sa.and_(
            _SELF.c.conversation_row == _M.conversation_row, _M.parent_row.is_not_distinct_from(_SELF.c.parent_row)
        ),
    )
    .where(_SELF.c.id == sa.bindparam("message", ""))
    .order_by(_M.row)
)


class _Node(msgspec.Struct, frozen=True, array_like=True, gc=False):
    row: int
    parent: int | None
    id: str
    role: Role
    state: ReplyState
    length: int
    newlines: int


_NODES = msgspec.json.Decoder(list[_Node])
_BY_AGE = attrgetter("row")
_LIVE = frozenset(state for state in ReplyState if state.live)


class Messages:
    """Reads on the caller's thread; every write returns a Future."""

    def __init__(self, reader: Reader, writer: Writer, owner: Owner) -> None:
        self._reader = reader
        self._writer = writer
        self._owner = owner

    def path(self, conversation_id: str) -> list[PathEntry]:
        """The visible path from root to leaf; empty for a conversation that does not exist or has no messages."""
        found = self._reader.row(_LEAF, conversation=conversation_id)
        if found is None or found[1] is None:
            return []
        conversation, step = found
        nodes: dict[int, _Node] = {}
        place: dict[int, int] = {}
        count: dict[int | None, int] = {}
        for node in sorted(_NODES.decode(self._reader.rows(_TREE, conversation=conversation)[0][0]), key=_BY_AGE):
            nodes[node.row] = node
            place[node.row] = before = count.get(node.parent, 0)
            count[node.parent] = before + 1
        path: list[PathEntry] = []
        while step is not None and (shown := nodes.get(step)) is not None:
            length, newlines = shown.length, shown.newlines
            if shown.state in _LIVE:
                text, _ = self.body(shown.id)
                length, newlines = len(text), text.count("\n")
            path.append(
                PathEntry(
                    id=shown.id,
                    role=shown.role,
                    state=shown.state,
                    length=length,
                    newlines=newlines,
                    sibling=place[step],
                    siblings=count[shown.parent],
                )
            )
            step = shown.parent
        path.reverse()
        return path

    def body(self, id: str) -> tuple[str, str]:
        """Text and thinking; of a live reply what was appended so far. Raises NotFound."""
        row = self._reader.row(_BODY, message=id)
        if row is None and (growth := self._reader.rows(_GROWTH, message=id)):
            return replies.join_growth((t, o, text) for t, o, text in growth)
        if row is None and (row := self._reader.row(_BODY, message=id)) is None:  # it may have ended between the two
            self._exists(id)
            return "", ""
        return row[0], row[1]

    def get(self, id: str) -> Message:
        """One message with everything. Raises NotFound."""
        return self.get_many([id])[0]

    def get_many(self, ids: list[str]) -> list[Message]:
        """Messages in the order of `ids`. Raises NotFound when one is missing."""
        found = {row[0]: row for row in self._reader.rows(_MANY, ids=json.dumps(ids))}
        missing = [wanted for wanted in ids if wanted not in found]
        if missing:
            raise NotFound(f"There is no message {missing[0]}.")
        return [self._message(found[wanted]) for wanted in ids]

    def prompt_path(self, leaf_id: str, *, last: int | None = None) -> list[Message]:
        """The messages from the root to `leaf_id` with everything, or only the `last` so many of them. Raises NotFound.

        Costs 0.05 ms a message: for long paths a caller asks for as many as can fit a window.
        """
        rows = self._reader.rows(_TO_LEAF, leaf=leaf_id, most=sys.maxsize if last is None else last)
        if not rows:
            raise NotFound(f"There is no message {leaf_id}.")
        return [self._message(row) for row in rows]

    def steps_to(self, leaf_id: str) -> list[PathStep]:
        """The messages from the root to `leaf_id`, without touching any text."""
        rows = self._reader.rows(_STEPS_TO_LEAF, leaf=leaf_id, most=sys.maxsize)
        return [PathStep(step, _ROLES[role], length) for step, role, length in rows]

    def reply_before(self, reply_id: str) -> str | None:
        """The reply that was asked for before this one in the same conversation, on whatever branch."""
        row = self._reader.row(_REPLY_BEFORE, message=reply_id)
        return None if row is None else str(row[0])

    def siblings(self, id: str) -> list[str]:
        """All children of the same parent, this one included, the oldest first. Raises NotFound."""
        rows = self._reader.rows(_SIBLINGS, message=id)
        if not rows:
            raise NotFound(f"There is no message {id}.")
        return [row[0] for row in rows]

    def add_turn(
        self, conversation: Conversation | None, user: Message, reply: Message, *, clear_draft: bool = True
    ) -> Future[None]:
        """A person's message and the reply that begins, in one commit that survives a power cut.

        `conversation` is a new one, else None. The reply becomes the leaf; the draft it came from (that of 'new' for a
        new conversation) is removed.
        """

        def work(connection: sa.Connection) -> None:
            if conversation is not None:
                conversations.insert(connection, conversation)
            turns.insert(connection, user, self._owner.id)
            turns.show(connection, reply, turns.insert(connection, reply, self._owner.id))
            if clear_draft:
                place = conversations.NEW if conversation is not None else user.conversation_id
                conversations.write_draft(connection, place, "")

        return self._writer.submit(work, durable=True)

    def add_reply(self, reply: Message) -> Future[None]:
        """Another reply to the same message, which becomes the leaf."""

        def work(connection: sa.Connection) -> None:
            turns.show(connection, reply, turns.insert(connection, reply, self._owner.id))

        return self._writer.submit(work)

    def set_state(self, reply_id: str, state: ReplyState) -> Future[None]:
        """A live reply's next live state; `finish` gives the final one."""
        if not state.live:
            raise ValueError(f"{state} ends a reply: finish it")
        return self._writer.submit(lambda connection: replies.set_state(connection, reply_id, state))

    def append(self, reply_id: str, offset: int, text: str, thinking: bool = False) -> Future[None]:
        """Keeps a piece of a live reply that begins at character `offset` of its text or its thinking. Repeatable."""
        return self._writer.submit(lambda connection: replies.append(connection, reply_id, offset, text, thinking))

    def finish(
        self, reply_id: str, text: str, thinking: str, state: ReplyState, facts: ReplyFacts | None
    ) -> Future[None]:
        """The whole text, once, in its final state. `facts` None keeps those the reply began with."""
        if state.live:
            raise ValueError(f"{state} does not end a reply")
        return self._writer.submit(
            lambda connection: replies.finish(connection, reply_id, text, thinking, state, facts)
        )

    def choose(self, conversation_id: str, message_id: str) -> Future[None]:
        """Shows the path through this message, down to the newest message below it."""
        return self._writer.submit(lambda connection: turns.choose(connection, conversation_id, message_id))

    def recover(self) -> list[str]:
        """Closes replies whose process died as lost, with the text that was kept; returns their ids. Waits."""
        return self._writer.submit(lambda connection: replies.recover(connection, self._owner.alive)).result()

    def _exists(self, id: str) -> None:
        if not self._reader.row(_EXISTS, message=id):
            raise NotFound(f"There is no message {id}.")

    def _message(self, row: tuple[Any, ...]) -> Message:
        message_id, conversation_id, parent_id, role, text, thinking, state, created_ms = row[:8]
        if text is None:
            text, thinking = self.body(message_id)
        return Message(
            id=message_id,
            conversation_id=conversation_id,
            parent_id=parent_id,
            role=_ROLES[role],
            text=text,
            thinking=thinking,
            state=_STATES[state],
            created_ms=created_ms,
            facts=facts_value(row[8:]),
        )
