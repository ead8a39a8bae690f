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
_CODE = re.compile(r"^ {0,3}(```|~~~)[^\n]*\n.*?(?:^ {0,3}\1[^\n]*$|\Z)", re.MULTILINE | re.DOTALL)
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
    fences = len(re.findall(r"^ {0,3}(?:```|~~~)", text[start:], re.MULTILINE))
    end = start
    for match in _SENTENCE.finditer(text, start):
        if match.end() < len(text) or match.group().isspace() or match.group() in "。！？":
            end = match.end()
    if fences % 2:
        opening = [m.start() for m in re.finditer(r"^ {0,3}(?:```|~~~)", text[start:], re.MULTILINE)][-1]
        end = min(end, start + opening)
    return end


class Speaking(QObject):
    """Remembers how far each live reply was told."""

    def __init__(self, transcript: Transcript) -> None:
        super().__init__(transcript)
        self._transcript = transcript
        self._told: dict[str, int] = {}

    def clear(self) -> None:
        """Another conversation is shown."""
        self._told.clear()

    def said(self, message_id: str, text: str, ended: bool) -> None:
        """The answer so far. Replies that were found already ended are not told."""
        if ended and message_id not in self._told:
            return
        start = self._told.get(message_id, 0)
        end = len(text) if ended else complete_sentences(text, start)
        self._told[message_id] = end
        if ended:
            del self._told[message_id]
        words = spoken(text[start:end])[:MOST_CHARS]
        if words:
            self._transcript.announced.emit(words)
            if QAccessible.isActive():
                QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self._transcript, words))
