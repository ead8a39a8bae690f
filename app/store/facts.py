"""The facts of a reply as a row, and back."""

from __future__ import annotations

import array
import sys
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from app.chat.messages import ReplyFacts
from app.engine.hardware import DeviceShare
from app.engine.values import Adapter, GenerationFacts
from app.store.conversations import sampling_text, sampling_value
from app.store.tables import FactsRow
from app.store.text import read_json, storable

_PLAIN = (
    "model_id", "model_name", "system_prompt", "n_ctx", "tokenizer", "thinking_s", "first_kept", "trimmed", "note",
    "reread_tokens",
)  # fmt: skip
_ERROR = ("error_code", "error_sentence", "error_detail")
_GENERATION = GenerationFacts.__struct_fields__
_LISTS: dict[str, Any] = {
    "left_out": list[str],
    "kept_before": list[str],
    "devices": tuple[DeviceShare, ...],
    "adapters": tuple[Adapter, ...],
}  # kept as JSON

NAMES = (*_PLAIN, *_ERROR, *_GENERATION, "sampling", "token_ids", *_LISTS)
COLUMNS = tuple(getattr(FactsRow, name) for name in NAMES)


def write_facts(connection: sa.Connection, message_row: int, facts: ReplyFacts) -> None:
    """Stores the facts of a reply, in place of what was known when it began."""
    values: dict[str, Any] = {name: getattr(facts, name) for name in (*_PLAIN, *_ERROR)}
    values |= {name: storable(value) for name, value in values.items() if isinstance(value, str)}
    values |= {name: getattr(facts.generation, name, None) for name in _GENERATION}
    values["sampling"] = sampling_text(facts.sampling)
    values["token_ids"] = _packed(facts.token_ids)
    values |= {name: msgspec.json.encode(getattr(facts, name)).decode() for name in _LISTS}
    statement = insert(FactsRow).values(message_row=message_row, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=[FactsRow.message_row], set_=values))


def facts_value(row: tuple[Any, ...]) -> ReplyFacts | None:
    """The facts from the values of COLUMNS; None when there is no such row (all are NULL)."""
    values = dict(zip(NAMES, row, strict=True))
    if values["model_id"] is None:
        return None
    generation = {name: values.pop(name) for name in _GENERATION}
    values["sampling"] = sampling_value(values["sampling"])
    values["token_ids"] = _unpacked(values["token_ids"])
    values |= {name: read_json(values[name], kind, kind()) for name, kind in _LISTS.items()}
    if generation["finish_reason"] is not None:
        values["generation"] = GenerationFacts(
            **{name: value for name, value in generation.items() if value is not None}
        )
    return ReplyFacts(**values)


def _packed(token_ids: list[int]) -> bytes:
    numbers = array.array("i", token_ids)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def _unpacked(data: bytes) -> list[int]:
    numbers = array.array("i", data)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tolist()
