"""What a text must be before SQLite can keep it, and values that are kept as JSON, read back."""

from __future__ import annotations

import logging
from typing import Any

import msgspec

log = logging.getLogger(__name__)


def storable(text: str) -> str:
    """`text`, with lone surrogates (half of a pair, from a broken paste) as U+FFFD; as long as before."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return "".join("�" if "\ud800" <= character <= "\udfff" else character for character in text)
    return text


def read_json(text: str, kind: Any, otherwise: Any) -> Any:
    """The value of a column kept as JSON. One that cannot be read costs itself, not the row it is in."""
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.DecodeError as error:
        log.info("a kept value cannot be read: %s", error)
        return otherwise
