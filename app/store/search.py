"""Search in titles and messages, as a person types it: words in any order, the last one perhaps unfinished.

The text is never read as a query language. Words of scripts that are written without spaces (Chinese, Japanese, Thai)
are not in the word index; they are looked for in the texts, at some milliseconds per ten megabytes.
"""

from __future__ import annotations

import re
from typing import Any

from app.chat.messages import SearchHit
from app.store.reader import Reader

_MOST_WORDS = 16
_AROUND = 60  # characters kept on each side of a match that the index did not find

# Noncharacters of Unicode, which no text should hold, mark what matched.
_OPEN, _CLOSE = "\ufdd0", "\ufdd1"

_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f]"
)

_TITLES = """
    SELECT c.id, c.title, NULL, {snippet}, c.updated_ms
    FROM {source}
    WHERE {condition} AND c.deleted_ms IS NULL
    ORDER BY c.updated_ms DESC LIMIT ?
"""
_MESSAGES = """
    SELECT c.id, c.title, m.id, {snippet}, c.updated_ms
    FROM {source}
    JOIN messages AS m ON m."row" = b.message_row
    JOIN conversations AS c ON c."row" = m.conversation_row
    WHERE {condition} AND c.deleted_ms IS NULL
    ORDER BY {order} DESC LIMIT ?
"""


class Search:
    """Full-text search over what is stored; a reply that is still written is not found before it ends."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def search(self, text: str, limit: int = 50) -> list[SearchHit]:
        """Titles first, then messages of all branches; each the newest first."""
        words = [word for word in text.replace("\0", " ").split() if any(c.isalnum() for c in word)][:_MOST_WORDS]
        if not words or limit <= 0:
            return []
        unspaced = [word for word in words if _UNSPACED.search(word)]
        match = _match([word for word in words if word not in unspaced], unfinished=words[-1] not in unspaced)
        rows = self._titles(match, unspaced, limit)
        rows += self._messages(match, unspaced, limit - len(rows)) if len(rows) < limit else []
        return [_hit(row, unspaced) for row in rows]

    def _titles(self, match: str, unspaced: list[str], limit: int) -> list[tuple[Any, ...]]:
        conditions = ["instr(c.title, ?) > 0"] * len(unspaced)
        source, snippet = "conversations AS c", "c.title"
        if match:
            source += ' JOIN title_search ON title_search.rowid = c."row"'
            snippet = f"highlight(title_search, 0, '{_OPEN}', '{_CLOSE}')"
            conditions.insert(0, "title_search MATCH ?")
        sql = _TITLES.format(snippet=snippet, source=source, condition=" AND ".join(conditions))
        return self._reader.sql(sql, [*([match] if match else []), *unspaced, limit])

    def _messages(self, match: str, unspaced: list[str], limit: int) -> list[tuple[Any, ...]]:
        conditions = ["instr(b.text, ?) > 0"] * len(unspaced)
        source, order = "bodies AS b", "b.message_row"
        if match:
            # A cross join keeps the index's own order, newest first, so that a common word stops after `limit` rows.
            source = "message_search CROSS JOIN bodies AS b ON b.message_row = message_search.rowid"
            order = "message_search.rowid"
            snippet = f"snippet(message_search, 0, '{_OPEN}', '{_CLOSE}', '…', 24)"
            conditions.insert(0, "message_search MATCH ?")
            before: list[Any] = [match]
        else:
            snippet = f"substr(b.text, max(1, instr(b.text, ?) - {_AROUND}), {2 * _AROUND} + length(?))"
            before = [unspaced[0], unspaced[0]]
        sql = _MESSAGES.format(snippet=snippet, source=source, condition=" AND ".join(conditions), order=order)
        return self._reader.sql(sql, [*before, *unspaced, limit])


def _match(words: list[str], *, unfinished: bool) -> str:
    """The words as quoted FTS5 strings, all of which must occur; the last one is a prefix when it may be unfinished."""
    quoted = ['"' + word.replace('"', '""') + '"' for word in words]
    return " ".join(quoted) + ("*" if quoted and unfinished else "")


def _hit(row: tuple[Any, ...], unspaced: list[str]) -> SearchHit:
    conversation_id, title, message_id, marked, updated_ms = row
    snippet, marks = _plain(marked)
    for word in unspaced:
        marks += [(found.start(), found.end()) for found in re.finditer(re.escape(word), snippet)]
    return SearchHit(
        conversation_id=conversation_id,
        title=title,
        message_id=message_id,
        snippet=snippet,
        marks=sorted(marks),
        updated_ms=updated_ms,
    )


def _plain(marked: str) -> tuple[str, list[tuple[int, int]]]:
    """The text without the marks, on one line, and where they were."""
    text = ""
    marks: list[tuple[int, int]] = []
    start: int | None = None
    for piece in re.split(f"([{_OPEN}{_CLOSE}])", marked):
        if piece == _OPEN:
            start = len(text)
        elif piece == _CLOSE:
            if start is not None:
                marks.append((start, len(text)))
            start = None
        else:
            text += re.sub(r"\s", " ", piece)
    return text, marks
