"""One message as it stands in the transcript: its texts in chunks, their heights known or guessed. Paints nothing."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from copy import copy
from operator import attrgetter

from msgspec.structs import replace

from app.chat.messages import Message, PathEntry, ReplyFacts, ReplyState, Role
from app.ui.components.transcript.chunks import Block, Chunk, Chunker, Kind, code_of
from app.ui.components.transcript.looks import (
    ACTIONS,
    CODE_HEAD,
    CODE_PAD,
    FIRST_GAP,
    FOLD,
    NOTE_GAP,
    OVERHANG,
    QUESTION_GAP,
    QUESTION_PAD,
    Looks,
    gap,
)
from app.ui.components.transcript.parsing import References, references
from app.ui.components.transcript.words import Note, notes_of

THINKING, ANSWER = 0, 1
MOST_BEFORE = 120_000  # characters of a code block that are read for the colours of what follows
NEWLINE = 0.62  # lines that a newline adds, on average: many only end a line that is full


def estimate(length: int, newlines: int, looks: Looks, width: int) -> int:
    """A guess of the height of Markdown prose from its size alone."""
    letters = max(10.0, width / looks.letter)
    lines = length / letters + NEWLINE * newlines
    return max(looks.line, round(lines * looks.line))


class Part:
    """The thinking or the answer of a message, growing or complete."""

    def __init__(self, *, plain: bool) -> None:
        self.text = ""
        self.plain = plain
        self.references: References = {}
        self.chunks: list[Chunk] = []
        self.heights: list[int] = []
        self.known: list[bool] = []
        self._gaps: list[int] = []
        self._chunker = Chunker(plain=plain)
        self._tops: list[int] = []
        self._true = 0  # so many of them are

    def grow(self, text: str, looks: Looks, width: int, *, held: int = 0) -> int:
        """`text` begins with the text so far. `held`: that many characters at the end are not shown yet.

        Returns the number of the first chunk that may have changed.
        """
        self.text = text
        closed = len(self._chunker.closed)
        self._chunker.feed(text)
        shown = text[: len(text) - held] if held else text
        now = [*self._chunker.closed[closed:], *self._chunker.rest(shown)]
        for index, chunk in enumerate(now, closed):
            guess = self._guess(chunk, looks, width)
            if index < len(self.chunks):
                same = self.chunks[index]
                if same == chunk:
                    continue
                self.chunks[index] = chunk
                self._gaps[index] = self._gap(index)
                self.heights[index] = max(self.heights[index], guess) if same.start == chunk.start else guess
                self.known[index] = False
            else:
                self.chunks.append(chunk)
                self.heights.append(guess)
                self.known.append(False)
                self._gaps.append(self._gap(index))
        end = closed + len(now)
        del self.chunks[end:], self.heights[end:], self.known[end:], self._gaps[end:]
        self._true = min(self._true, closed)
        return closed

    def ahead(self, text: str, looks: Looks, width: int, *, held: int = 0) -> tuple[Part, int]:
        """How this will be when it has grown, and what `grow` will return. Nothing happens to this one."""
        other = copy(self)
        other._chunker = self._chunker.fork()
        other.chunks, other.heights = list(self.chunks), list(self.heights)
        other.known, other._gaps = list(self.known), list(self._gaps)
        return other, other.grow(text, looks, width, held=held)

    def replace(self, text: str, looks: Looks, width: int) -> None:
        """Another, complete text."""
        if not text.startswith(self.text) or not self.chunks:
            self._chunker = Chunker(plain=self.plain)
            self.chunks, self.heights, self.known, self._gaps = [], [], [], []
            self._true = 0
        self.grow(text, looks, width)
        found = {} if self.plain else references(text)
        if found != self.references:
            self.references = found
            self.forget()

    def _guess(self, chunk: Chunk, looks: Looks, width: int) -> int:
        if chunk.kind is Kind.CODE:
            lines = max(0, chunk.newlines - chunk.head - chunk.tail)
            return lines * looks.code_line + (CODE_HEAD if chunk.head else 0) + CODE_PAD
        return estimate(chunk.end - chunk.start, chunk.newlines, looks, width)

    def forget(self) -> None:
        """The heights were true for another width or look: they are guesses now."""
        self.known = [False] * len(self.chunks)

    def set_height(self, index: int, height: int) -> None:
        """The true height of a chunk."""
        self.known[index] = True
        if self.heights[index] != height:
            self.heights[index] = height
            self._true = min(self._true, index)

    def _gap(self, index: int) -> int:
        """The free pixels above a chunk."""
        if index == 0 or self.plain:
            return 0
        chunk, before = self.chunks[index], self.chunks[index - 1]
        first = Block.ITEM if chunk.first is Block.CONTINUED and chunk.ordinal else chunk.first
        return gap(before.last, first) if first is not Block.CONTINUED else 0

    @property
    def tops(self) -> list[int]:
        """The top of each chunk, and at the end the height of all."""
        heights, true = self.heights, self._true
        if true <= len(heights):
            tops = self._tops[:true]
            bottom = tops[-1] + heights[true - 1] if true else 0
            for gap, height in zip(self._gaps[true:], heights[true:], strict=True):
                tops.append(bottom + gap if height else bottom)
                bottom = tops[-1] + height
            self._tops, self._true = [*tops, bottom], len(heights) + 1
        return self._tops

    def bottom(self, index: int) -> int:
        """The bottom of a chunk; 0 before the first."""
        return self.tops[index] + self.heights[index] if index >= 0 else 0

    @property
    def height(self) -> int:
        """The height of all chunks and their gaps."""
        return self.tops[-1]

    def closes(self, index: int) -> bool:
        """Whether the code block in this chunk does not go on in the next one."""
        if index + 1 >= len(self.chunks):
            return True
        following = self.chunks[index + 1]
        return not (following.kind is Kind.CODE and following.first is Block.CONTINUED)

    def code_block(self, index: int) -> tuple[int, int]:
        """The first and last chunk of the code block that chunk `index` belongs to."""
        first = last = index
        while first > 0 and not self.chunks[first].head:
            first -= 1
        while not self.closes(last):
            last += 1
        return first, last

    def code_around(self, start: int, *, growing: bool) -> tuple[str, int]:
        """The code block with which the colours of its chunk at `start` are found, and where in it the chunk begins.

        All of it, but when that would take too long: then what stands before the chunk.
        """
        index = bisect_right(self.chunks, start, key=attrgetter("start")) - 1
        first, last = self.code_block(index)
        grows = growing and last == len(self.chunks) - 1 and not self.chunks[last].tail
        if grows or start - self.chunks[first].start > MOST_BEFORE:
            first = max(first, index - 1)
        codes = [code_of(chunk, self.text[chunk.start : chunk.end]) for chunk in self.chunks[first : last + 1]]
        return "".join(codes), sum(map(len, codes[: index - first]))


def _facts(message: Message) -> ReplyFacts | None:
    """What is told of a reply: not its tokens, thousands of numbers each."""
    return message.facts and replace(message.facts, token_ids=[])


class Row:
    """A message near the view, with everything that decides its height."""

    def __init__(self, entry: PathEntry, message: Message, looks: Looks, width: int, *, first: bool) -> None:
        self.entry = entry
        self.id = entry.id
        self.question = entry.role is Role.USER
        self.first = first
        self.unfolded = False
        self.progress: tuple[int, int] | None = None
        self.state = message.state
        self.facts: ReplyFacts | None = None
        self.parts = (Part(plain=False), Part(plain=self.question))
        self.notes: list[Note] = []
        self.take(message, looks, width)

    def take(self, message: Message, looks: Looks, width: int) -> None:
        """What is stored now."""
        self.state, self.facts = message.state, _facts(message)
        self.parts[THINKING].replace(message.thinking, looks, width)
        self.parts[ANSWER].replace(message.text, looks, width)
        self.measure_notes(looks, width)

    def measure_notes(self, looks: Looks, width: int) -> None:
        """Words under the text, wrapped at this width."""
        self.notes = [] if self.question else notes_of(self.state, self.facts, looks, width)

    @property
    def waiting(self) -> bool:
        """Whether a line is kept free for the words or the caret before the first text."""
        return self.state.live and not self.parts[ANSWER].chunks

    @property
    def thinks(self) -> bool:
        """Whether the model is thinking right now."""
        return self.state.live and bool(self.parts[THINKING].text) and not self.parts[ANSWER].text

    def part_top(self, part: int) -> int:
        """Where the thinking or the answer begins."""
        if self.question:
            return (FIRST_GAP if self.first else QUESTION_GAP) + QUESTION_PAD
        top = FIRST_GAP if self.first else 0
        if self.parts[THINKING].text:
            top += FOLD
            if part == ANSWER and self.unfolded:
                top += self.parts[THINKING].height + 12
        return top

    def waiting_height(self, looks: Looks) -> int:
        """The height of the line of words or the caret before the first text."""
        if not self.waiting:
            return 0
        return looks.line + (12 if self.state is ReplyState.READING and self.progress else 0)

    def notes_top(self, looks: Looks) -> int:
        """Where the notes begin."""
        return self.part_top(ANSWER) + self.parts[ANSWER].height + self.waiting_height(looks)

    def actions_top(self, looks: Looks) -> int:
        """Where the row of actions begins."""
        top = self.notes_top(looks)
        if self.question:
            return top + QUESTION_PAD
        return top + sum(note.height + NOTE_GAP for note in self.notes) + 4

    def height(self, looks: Looks) -> int:
        """The height of the whole row."""
        return self.actions_top(looks) + ACTIONS

    def shown_parts(self) -> Iterator[int]:
        """The parts that are not folded away."""
        if self.parts[THINKING].text and self.unfolded:
            yield THINKING
        yield ANSWER


def guess_heights(entries: Sequence[PathEntry], looks: Looks, width: int) -> list[int]:
    """The heights of rows that were never read, from the index of the conversation; for ten thousand at once."""
    user, line = Role.USER, looks.line
    question, reply = QUESTION_GAP + 2 * QUESTION_PAD + ACTIONS, ACTIONS + 4
    per_letter, per_newline = line / max(10.0, width / looks.letter), NEWLINE * line
    return [
        (question if entry.role is user else reply)
        + (guess if (guess := int(entry.length * per_letter + entry.newlines * per_newline + 0.5)) > line else line)
        for entry in entries
    ]


def text_width(available: int, column: int) -> int:
    """The width of text in a view `available` pixels wide, for a wanted column."""
    return max(200, min(column, available - 40) - 2 * OVERHANG)
