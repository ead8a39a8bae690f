"""Growth of live replies: joins what arrives in one turn, shows it, holds back half lines.

It knows texts and rows, nothing of pixels.
"""

from __future__ import annotations

import re

from PySide6.QtCore import QObject, QTimer, Signal

from app.chat.messages import ReplyState
from app.services.changes import ReplyChanged, ReplyGrew, ReplyProgressed
from app.ui.components.transcript.column import Column
from app.ui.components.transcript.places import ConversationsLike
from app.ui.components.transcript.rows import ANSWER, THINKING, Row

_HALF = re.compile(r"[ >]*(?:`{1,2}|`{3,}[^`\n]*|~+[^\n]*|\|[^\n]*)$")


def held_back(text: str) -> int:
    """How many characters of the unfinished last line wait: fences and table rows are shown only complete."""
    start = text.rfind("\n") + 1
    length = len(text) - start
    return length if 0 < length < 1000 and _HALF.match(text, start) else 0


class Streaming(QObject):
    """Feeds the rows of live replies. `grown`: the row, and the pixel of it below which it changed."""

    about_to_grow = Signal()
    grown = Signal(int, int)
    said = Signal(str, str, bool)  # message id, text of the answer so far, whether it ended

    def __init__(self, column: Column, conversations: ConversationsLike, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._column = column
        self._conversations = conversations
        self._waiting: dict[tuple[str, int], str] = {}
        self._prepared: dict[tuple[str, int], str] = {}  # what of it will be shown in the next turn
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._due)

    def clear(self) -> None:
        """Another conversation is shown: nothing waits any more."""
        self._waiting, self._prepared = {}, {}
        self._timer.stop()

    def grew(self, change: ReplyGrew) -> None:
        """Joins growth to what is known; offsets make a repetition harmless and show a gap."""
        number = self._column.numbers.get(change.message_id)
        if number is None:
            return
        row = self._column.row(number)
        part = THINKING if change.thinking else ANSWER
        key = (change.message_id, part)
        text = self._waiting.get(key, row.parts[part].text)
        if change.offset > len(text):  # something was missed: the store knows more
            message = self._conversations.message(change.message_id)
            stored = message.thinking if change.thinking else message.text
            if len(stored) < change.offset:
                return
            text = stored
        end = change.offset + len(change.text)
        if end <= len(text):
            return
        self._waiting[key] = text[: change.offset] + change.text
        if row.state in (ReplyState.QUEUED, ReplyState.READING):
            row.state, row.progress = ReplyState.WRITING, None
        if not self._timer.isActive():
            self._timer.start(0)

    def progressed(self, change: ReplyProgressed) -> None:
        """The prompt of a reply is being read."""
        number = self._column.numbers.get(change.message_id)
        if number is None:
            return
        row = self._column.row(number)
        if row.state in (ReplyState.QUEUED, ReplyState.READING):
            self.about_to_grow.emit()
            row.state, row.progress = ReplyState.READING, (change.done, change.total)
            self._column.measure(number)
            self.grown.emit(number, 0)

    def changed(self, change: ReplyChanged) -> None:
        """A reply is in another state; when it ended, what is stored is the truth."""
        number = self._column.numbers.get(change.message_id)
        if number is None:
            return
        row = self._column.row(number)
        self.about_to_grow.emit()
        whole = row.parts[ANSWER]
        if not change.state.live:
            self.flush()
        before, steady = (whole.text, list(whole.chunks), whole.references), whole.bottom(len(whole.chunks) - 1)
        if not change.state.live:
            message = self._conversations.message(change.message_id)
            if not message.state.live:
                row.take(message, self._column.looks, self._column.width)
            else:
                for part in row.parts:  # what was held back is shown
                    part.replace(part.text, self._column.looks, self._column.width)
        elif row.state.live and change.state is not ReplyState.READING:
            row.progress = None
        if row.state.live or change.state is not ReplyState.QUEUED:
            row.state = change.state
            row.facts = change.facts or row.facts
        row.measure_notes(self._column.looks, self._column.width)
        self._column.measure(number)
        same = before == (whole.text, whole.chunks, whole.references) and all(whole.known[-1:])
        self.grown.emit(number, row.part_top(ANSWER) + steady if same and not row.parts[THINKING].text else 0)
        if not row.state.live:
            self._column.pieces.recolour(row)
            self.said.emit(row.id, row.parts[ANSWER].text, True)

    def _due(self) -> None:
        """Shows what has arrived; if a document has to be made for it, that is done first, in a turn of its own."""
        if self._prepared:
            waiting, prepared = self._waiting, self._prepared
            self._waiting = prepared
            self.flush()
            self._waiting = {key: text for key, text in waiting.items() if text != prepared.get(key)}
            if self._waiting:
                self._timer.start(0)
        elif any(self._prepare(*key, text) for key, text in self._waiting.items()):
            self._prepared = dict(self._waiting)
            self._timer.start(0)
        else:
            self.flush()

    def _prepare(self, message_id: str, part: int, text: str) -> bool:
        column = self._column
        row = column.rows.get(column.numbers.get(message_id, -1))
        if row is None or not row.parts[part].chunks:
            return False
        whole = row.parts[part]
        if not column.pieces.has(row, part, len(whole.chunks) - 1):  # nobody looks at the end
            return False
        ahead, first = whole.ahead(text, column.looks, column.width, held=held_back(text))
        return column.pieces.prepare(row, part, ahead, first, column.looks, column.width)

    def flush(self) -> None:
        """Shows what has arrived."""
        self._timer.stop()
        waiting, self._waiting, self._prepared = self._waiting, {}, {}
        column = self._column
        for (message_id, part), text in waiting.items():
            number = column.numbers.get(message_id)
            if number is None:
                continue
            self.about_to_grow.emit()
            row: Row = column.row(number)
            whole = row.parts[part]
            first = whole.grow(text, column.looks, column.width, held=held_back(text))
            steady = column.pieces.extend(row, part, first, column.looks, column.width)
            column.measure(number)
            below = whole.tops[first] + steady if steady else whole.bottom(first - 1) if first else 0
            self.grown.emit(number, row.part_top(part) + below if below else 0)
            if part == ANSWER:
                self.said.emit(message_id, text, False)
