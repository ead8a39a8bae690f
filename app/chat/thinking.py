"""Splits a reasoning model's output into thinking and answer while it streams.

Pure text in, labelled text out. A thinking block counts only at the start of a reply (or when the prompt already opened
it): an answer that talks about such tags keeps them. Models with channels name one before each of their messages, and
only what they say in `final` is the answer. Nothing here knows a model, a template or a token.
"""

from __future__ import annotations

from typing import NamedTuple

from app.engine.values import CHANNEL, MESSAGE, MESSAGE_END, NEXT_MESSAGE, THINKING_TAGS

_FINAL = "final"
_OPENINGS = (CHANNEL, *(opening for opening, _ in THINKING_TAGS))
_CLOSING = tuple(closing for _, closing in THINKING_TAGS)


class Piece(NamedTuple):
    """Some text and whether it is thinking."""

    text: str
    thinking: bool


class ThinkingSplitter:
    """Feed it deltas, get pieces. What could still become a tag, or is white space at an edge of the thinking, is
    held back.

    Without a thinking block the pieces put together are exactly what was fed.
    """

    def __init__(self, thinking_open: bool = False) -> None:
        self._closing: tuple[str, ...] = _CLOSING if thinking_open else ()
        self._thinking = thinking_open
        self._deciding = not thinking_open  # the start: a block may still open here
        self._trim_answer = False  # white space between the block and the answer belongs to neither
        self._channels = False  # whether each message begins with the name of its channel
        self._heading = False  # such a beginning is being read
        self._begun = False  # some thinking was handed out: white space before it is dropped, inside it is kept
        self._held = ""

    @property
    def thinking(self) -> bool:
        """Whether a thinking block is open now."""
        return self._thinking

    def feed(self, text: str) -> list[Piece]:
        """The pieces that are certain after `text` came."""
        self._held += text
        pieces: list[Piece] = []
        while self._step(pieces):
            pass
        return pieces

    def finish(self) -> list[Piece]:
        """What was still held back: no more text will come."""
        held, self._held = self._held, ""
        if self._heading or (self._channels and held.startswith(MESSAGE_END)):
            return []
        if self._thinking:
            held = held.rstrip()
            held = held if self._begun else held.lstrip()
        elif self._trim_answer:
            held = held.lstrip()
        return [Piece(held, self._thinking)] if held else []

    def _step(self, pieces: list[Piece]) -> bool:
        if not self._held:
            return False
        if self._deciding:
            return self._decide()
        if self._heading:
            return self._head(pieces)
        if self._thinking:
            return self._think(pieces)
        if self._channels:
            return self._answer(pieces)
        if self._trim_answer:
            self._held = self._held.lstrip()
            if not self._held:
                return False
            self._trim_answer = False
        pieces.append(Piece(self._held, False))
        self._held = ""
        return False

    def _decide(self) -> bool:
        begin = self._held.lstrip()
        for opening, closing in THINKING_TAGS:
            if begin.startswith(opening):
                self._held = begin[len(opening) :]
                self._closing, self._thinking = (closing,), True
                self._deciding = False
                return True
        if begin.startswith(CHANNEL):
            self._deciding, self._channels, self._heading = False, True, True
            return True
        if any(opening.startswith(begin) for opening in _OPENINGS):
            return False  # white space only, or the beginning of a tag
        self._deciding = False
        return True

    def _think(self, pieces: list[Piece]) -> bool:
        found = [(at, tag) for tag in self._closing if (at := self._held.find(tag)) >= 0]
        if found:
            at, tag = min(found)
            self._emit_thinking(self._held[:at].rstrip(), pieces)
            self._held = self._held[at + len(tag) :]
            self._thinking, self._trim_answer, self._heading = False, not self._channels, self._channels
            return True
        keep = max(_overlap(self._held, tag) for tag in self._closing)
        certain = self._held[: len(self._held) - keep].rstrip()
        self._emit_thinking(certain, pieces)
        self._held = self._held[len(certain) :]
        return False

    def _head(self, pieces: list[Piece]) -> bool:
        """The channel of the message that begins."""
        head, message, rest = self._held.partition(MESSAGE)
        if not message:
            return False
        self._held, self._heading = rest, False
        self._thinking = head.rpartition(CHANNEL)[2].split()[:1] != [_FINAL]
        self._closing = (MESSAGE_END,)
        if self._thinking and self._begun:
            pieces.append(Piece("\n\n", True))
        return True

    def _answer(self, pieces: list[Piece]) -> bool:
        """An answer behind which another message may follow."""
        end = MESSAGE_END + NEXT_MESSAGE
        at = self._held.find(end)
        self._heading = at >= 0
        certain = at if at >= 0 else len(self._held) - _overlap(self._held, end)
        if certain:
            pieces.append(Piece(self._held[:certain], False))
        self._held = self._held[certain + (len(end) if at >= 0 else 0) :]
        return self._heading

    def _emit_thinking(self, text: str, pieces: list[Piece]) -> None:
        if not self._begun:
            text = text.lstrip()
        if text:
            self._begun = True
            pieces.append(Piece(text, True))


def _overlap(text: str, tag: str) -> int:
    """How many characters at the end of `text` are the beginning of `tag`."""
    for size in range(min(len(text), len(tag) - 1), 0, -1):
        if text.endswith(tag[:size]):
            return size
    return 0
