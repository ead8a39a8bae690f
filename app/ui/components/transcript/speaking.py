"""Tells a screen reader the reply while it is written, by sentences. Words only, no Markdown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent

if TYPE_CHECKING:
    from app.ui.components.transcript.transcript import Transcript

_SENTENCE = re.compile(
    r"[.!?…。！？](?=[\s\"'”’)»*_]|$)[\"'”’)»*_]*\s+|\n\s*\n|[。！？]|\n(?=\s*(?:[-*+]|\d+[.)]|#|```))"
)
_FENCE = re.compile(r"^[ >]*(?:```|~~~)", re.MULTILINE)
_CODE = re.compile(r"^[ >]*(```|~~~)[^\n]*\n.*?(?:^[ >]*\1[^\n]*$|\Z)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_SIGNS = re.compile(r"[*_`#>|~]+|^\s*[-+]\s+", re.MULTILINE)
MOST_CHARS = 1500  # told at once; more would make it wait too long


def spoken(markdown: str) -> str:
    """Markdown as it is read aloud: code is named, signs are left out."""
    text = _CODE.sub(" A code block. ", markdown)
    text = _SIGNS.sub("", _LINK.sub(r"\1", text))
    return " ".join(text.split())


def complete_sentences(text: str, start: int) -> int:
    """The end of the last complete sentence of `text[start:]`; `start` when there is none. An open code block waits."""
    end = start
    opening = open_fence(text, start)
    for match in _SENTENCE.finditer(text, start):
        if match.end() < len(text) or match.group().isspace() or match.group() in "。！？":
            end = match.end()
    return min(end, opening) if opening >= 0 else end


def open_fence(text: str, start: int) -> int:
    """Where the code block begins in which `text[start:]` ends; -1 when it ends in none."""
    fences = [start + match.start() for match in _FENCE.finditer(text[start:])]
    return fences[-1] if len(fences) % 2 else -1


class Speaking(QObject):
    """Remembers how far each live reply was told."""

    def __init__(self, transcript: Transcript) -> None:
        super().__init__(transcript)
        self._transcript = transcript
        self._told: dict[str, int] = {}
        self._in_code: dict[str, int] = {}  # up to where no end was found of the code block that is being written

    def clear(self) -> None:
        """Another conversation is shown."""
        self._told.clear()
        self._in_code.clear()

    def _code_goes_on(self, message_id: str, text: str) -> bool:
        """Whether the code block that was open is still open: then nothing is told, however long it gets."""
        looked = self._in_code.get(message_id)
        if looked is None:
            return False
        if _FENCE.search(text, looked):
            del self._in_code[message_id]
            return False
        self._in_code[message_id] = max(looked, text.rfind("\n") + 1)
        return True

    def said(self, message_id: str, text: str, ended: bool) -> None:
        """The answer so far. Replies that were found already ended are not told."""
        if ended and message_id not in self._told:
            return
        start = self._told.get(message_id, 0)
        if not ended and self._code_goes_on(message_id, text):
            return
        end = len(text) if ended else complete_sentences(text, start)
        opening = open_fence(text, end)
        if opening >= 0:
            self._in_code[message_id] = text.find("\n", opening) + 1 or len(text)
        self._told[message_id] = end
        if ended:
            del self._told[message_id]
            self._in_code.pop(message_id, None)
        words = spoken(text[start:end])[:MOST_CHARS]
        if words:
            self._transcript.announced.emit(words)
            if QAccessible.isActive():
                QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self._transcript, words))
