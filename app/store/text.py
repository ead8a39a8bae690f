"""What a text must be before SQLite can keep it."""

from __future__ import annotations


def storable(text: str) -> str:
    """`text`, with lone surrogates (half of a pair, from a broken paste) as U+FFFD; as long as before."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return "".join("�" if "\ud800" <= character <= "\udfff" else character for character in text)
    return text
