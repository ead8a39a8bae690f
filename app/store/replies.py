"""A reply's way from its first piece to its final text, as work for the writer.

While a reply is live its text lies in small rows (growth); the whole text is written and indexed once, at the end. A
reply whose process died is closed with what the growth rows hold. The tree does not belong here (messages.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from app.base.clock import now_ms
from app.chat.messages import ReplyFacts, ReplyState
from app.store.errors import AlreadyFinished, NotFound
from app.store.facts import write_facts
from app.store.tables import BodyRow, ConversationRow, GrowthRow, MessageRow
from app.store.text import storable

_M = MessageRow
_LIVE = frozenset(state.value for state in ReplyState if state.live)


def set_state(connection: sa.Connection, id: str, state: ReplyState) -> None:
    """A live reply's next live state."""
    connection.execute(sa.update(_M).where(_M.row == _live_row(connection, id)).values(state=state.value))


def append(connection: sa.Connection, id: str, offset: int, text: str, thinking: bool) -> None:
    """Keeps a piece of a live reply; the same piece may come twice, also longer the second time."""
    row = _live_row(connection, id)
    values = {"message_row": row, "thinking": int(thinking), "offset": offset}
    grown = insert(GrowthRow).values(text=storable(text), **values)
    connection.execute(
        grown.on_conflict_do_update(
            index_elements=[GrowthRow.message_row, GrowthRow.thinking, GrowthRow.offset],
            set_={"text": grown.excluded.text},
            where=sa.func.length(grown.excluded.text) > sa.func.length(GrowthRow.text),
        )
    )


def finish(
    connection: sa.Connection, id: str, text: str, thinking: str, state: ReplyState, facts: ReplyFacts | None
) -> None:
    """The final text, once. Finishing again with the same text changes nothing; with another one it is refused, except
    for a reply that was taken for lost while its process could not be seen."""
    text, thinking = storable(text), storable(thinking)
    found = connection.execute(sa.select(_M.row, _M.state).where(_M.id == id)).first()
    if found is None:
        raise NotFound(f"There is no reply {id}.")
    row, before = found
    if before not in _LIVE and before != ReplyState.LOST.value:
        stored = connection.execute(sa.select(BodyRow.text, BodyRow.thinking).where(BodyRow.message_row == row)).one()
        if tuple(stored) != (text, thinking):
            raise AlreadyFinished(f"The reply {id} has its final text already.")
        return
    _close(connection, row, text, thinking, state)
    if facts is not None:
        write_facts(connection, row, facts)


def recover(connection: sa.Connection, alive: Callable[[str], bool]) -> list[str]:
    """Closes the replies whose owner is gone as lost, with the text that was kept. Returns their ids."""
    lost: list[str] = []
    known: dict[str, bool] = {}
    owned = sa.select(_M.row, _M.id, _M.owner).where(_M.owner.is_not(None))
    for row, reply_id, owner in connection.execute(owned).all():
        if owner is not None and owner not in known:
            known[owner] = alive(owner)
        if owner is not None and not known[owner]:
            text, thinking = _grown(connection, row)
            _close(connection, row, text, thinking, ReplyState.LOST)
            lost.append(reply_id)
    return lost


def join_growth(pieces: Iterable[tuple[int, int, str]]) -> tuple[str, str]:
    """Text and thinking from (thinking, offset, text) in order of offset; pieces may overlap."""
    joined = ["", ""]
    for thinking, offset, text in pieces:
        so_far = joined[thinking]
        if offset + len(text) > len(so_far):
            joined[thinking] = so_far[:offset] + text
    return joined[0], joined[1]


def _live_row(connection: sa.Connection, id: str) -> int:
    found = connection.execute(sa.select(_M.row, _M.state).where(_M.id == id)).first()
    if found is None:
        raise NotFound(f"There is no reply {id}.")
    if found.state not in _LIVE:
        raise AlreadyFinished(f"The reply {id} has its final text already.")
    return int(found.row)


def _grown(connection: sa.Connection, row: int) -> tuple[str, str]:
    growth = sa.select(GrowthRow.thinking, GrowthRow.offset, GrowthRow.text).where(GrowthRow.message_row == row)
    return join_growth((t, o, text) for t, o, text in connection.execute(growth.order_by(GrowthRow.offset)))


def _close(connection: sa.Connection, row: int, text: str, thinking: str, state: ReplyState) -> None:
    body = insert(BodyRow).values(message_row=row, text=text, thinking=thinking)
    connection.execute(
        body.on_conflict_do_update(index_elements=[BodyRow.message_row], set_={"text": text, "thinking": thinking})
    )
    connection.execute(
        sa.update(_M)
        .where(_M.row == row)
        .values(state=state.value, length=len(text), newlines=text.count("\n"), owner=None)
    )
    connection.execute(sa.delete(GrowthRow).where(GrowthRow.message_row == row))
    conversation = sa.select(_M.conversation_row).where(_M.row == row).scalar_subquery()
    connection.execute(
        sa.update(ConversationRow)
        .where(ConversationRow.row == conversation)
        .values(updated_ms=sa.func.max(ConversationRow.updated_ms, now_ms()))
    )
