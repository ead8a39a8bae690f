"""Bytes of sampled tokens to text that may be shown: UTF-8 across tokens, stop strings across tokens.

Pure: no tokens, no model.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence

_decoder = codecs.getincrementaldecoder("utf-8")


class TextStream:
    """Feeds on bytes and gives text whose characters are whole and which can no longer become a stop string.

    Invalid bytes give U+FFFD once they cannot be completed any more. `stopped` is true after a stop string: it and what
    followed it are gone, and feeding more gives nothing.
    """

    def __init__(self, stop: Sequence[str] = ()) -> None:
        self._decode = _decoder("replace").decode
        self._stop = tuple(dict.fromkeys(text for text in stop if text))
        self._longest = max(map(len, self._stop), default=0)
        self._held = ""
        self.stopped = False

    def feed(self, data: bytes) -> str:
        """The text that became certain with these bytes."""
        text = self._decode(data)
        if not self._stop or not text:
            return text
        return self._filter(text)

    def finish(self, *, cut: bool = False) -> str:
        """What is left at the end. `cut`: the reply was cut short, so half a character is no error and is dropped."""
        text = "" if cut else self._decode(b"", True)
        if not self._stop:
            return text
        text = self._filter(text)
        held, self._held = self._held, ""
        return text + held

    def _filter(self, text: str) -> str:
        if self.stopped:
            return ""
        held = self._held + text
        found = [at for stop in self._stop if (at := held.find(stop)) >= 0]
        if found:
            self.stopped = True
            self._held = ""
            return held[: min(found)]
        keep = self._could_begin(held)
        cut = len(held) - keep
        self._held = held[cut:]
        return held[:cut]

    def _could_begin(self, text: str) -> int:
        """The length of the longest end of `text` that some stop string begins with."""
        for size in range(min(self._longest - 1, len(text)), 0, -1):
            end = text[-size:]
            if any(stop.startswith(end) for stop in self._stop):
                return size
        return 0
