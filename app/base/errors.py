"""The base error of every room, and nothing that knows a room.

An error says three things apart from each other: a code that programs read, a sentence that a person reads,
and a technical detail that only a log or a bug report wants. Messages are never parsed.
"""

from __future__ import annotations


class InglenookError(Exception):
    """An error with a plain sentence for the person and a technical detail for the log.

    `code` is stable and crosses processes; `sentence` says what happened and what follows; `detail` may be empty.
    """

    code = "error"

    def __init__(self, sentence: str, *, detail: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.detail = detail
