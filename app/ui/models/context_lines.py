"""The lines of the list of what the model sees: entries grouped by turn, grouped turns folded or not. No widget."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from app.chat.context_view import ContextEntry, ContextView, Standing

INSTRUCTIONS, NOTE, TURNS, MESSAGE = "instructions", "note", "turns", "message"
DRAFT = "draft"

_WORDS = {
    Standing.KEPT: "kept",
    Standing.PINNED: "pinned",
    Standing.SUMMARISED: "summarised",
    Standing.TRIMMED: "trimmed",
    Standing.OUTSIDE: "left out",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One row. `tokens` of `own` are in the prompt. `key` stays the same while the list changes around it.

    `entries` are the messages it speaks of: one, those of its turns, or none. `level` 1 stands inside a group.
    """

    key: str
    kind: str
    title: str
    standing: Standing
    tokens: int
    own: int
    entries: tuple[ContextEntry, ...] = ()
    level: int = 0
    open: bool = False

    @property
    def foldable(self) -> bool:
        """Whether messages can be shown below it."""
        return self.kind in (TURNS, NOTE) and bool(self.entries)

    @property
    def message_id(self) -> str:
        """The message it is, or ''. The draft has no id yet."""
        return self.entries[0].message_id if self.kind == MESSAGE and self.entries else ""

    @property
    def amount(self) -> str:
        """Tokens in words: `0 of 890` where they are not in the prompt."""
        if self.standing in (Standing.TRIMMED, Standing.OUTSIDE) or (self.level and not self.tokens and self.own):
            return f"{self.tokens:,} of {self.own:,}"
        return f"{self.tokens:,}"

    @property
    def spoken(self) -> str:
        """All of it as a sentence for a screen reader."""
        parts = [self.title]
        word = _WORDS[self.standing]
        if word not in self.title and self.kind != INSTRUCTIONS:
            parts.append(word)
        parts.append(f"{self.amount} tokens")
        if self.foldable:
            parts.append("unfolded" if self.open else "folded")
        return ", ".join(parts)


Row = Line | ContextEntry
"""A message inside an unfolded group stays an entry until its line is wanted: there may be ten thousand."""


def rows_of(view: ContextView, opened: Collection[str] = (), *, all_open: bool = False) -> list[Row]:
    """The rows of a view from top to bottom: instructions, what is pinned, the note, then the turns by age.

    `opened` are keys of unfolded groups.
    """
    made: list[Row] = []
    messages: list[ContextEntry] = []
    note: ContextEntry | None = None
    for entry in view.entries:
        if entry.kind == "instructions":
            title = "Instructions"
            made.append(Line(INSTRUCTIONS, INSTRUCTIONS, title, entry.standing, entry.tokens, entry.own_tokens))
        elif entry.kind == "note":
            note = entry
        elif entry.standing is Standing.PINNED:
            made.append(message_line(entry, level=0))
        else:
            messages.append(entry)
    if note is not None:
        summarised = tuple(entry for entry in messages if entry.standing is Standing.SUMMARISED)
        messages = [entry for entry in messages if entry.standing is not Standing.SUMMARISED]
        _add(made, _note(note, summarised), opened, all_open)
    newest = view.entries[-1].turn if view.entries else 0
    for group in _groups(messages, newest):
        _add(made, _turns(group, newest), opened, all_open)
    return made


def keys_of(rows: list[Row]) -> list[str]:
    """What stays the same while the list changes around each row."""
    return [row.key if isinstance(row, Line) else row.message_id or DRAFT for row in rows]


def _groups(messages: list[ContextEntry], newest: int) -> Iterator[tuple[ContextEntry, ...]]:
    """Neighbours with the same standing; what holds nothing goes with its neighbours, the newest turn by itself."""
    group: list[ContextEntry] = []
    standing: Standing | None = None
    for entry in messages:
        if entry.standing is standing and entry.turn != newest:
            group.append(entry)
            continue
        empty = entry.standing is Standing.OUTSIDE and not entry.own_tokens
        same = standing is None or entry.standing is standing or empty
        ends = bool(group) and entry.turn == newest and group[-1].turn != newest
        if group and (not same or ends):
            yield tuple(group)
            group, standing = [], None
        group.append(entry)
        if not empty:
            standing = entry.standing
    if group:
        yield tuple(group)


def _note(note: ContextEntry, summarised: tuple[ContextEntry, ...]) -> Line:
    title = "Note of older turns"
    if summarised:
        was = sum(entry.own_tokens for entry in summarised)
        title = f"{_range(summarised)}, summarised from {was:,}"
    return Line(NOTE, NOTE, title, Standing.SUMMARISED, note.tokens, note.own_tokens, summarised)


def _turns(group: tuple[ContextEntry, ...], newest: int) -> Line:
    standing = next((e.standing for e in group if e.own_tokens), group[0].standing)
    title = "This turn" if group[0].turn == newest else _range(group)
    if len(group) == 1 and group[0].role and standing is Standing.OUTSIDE:
        title = f"Turn {group[0].turn}, {'question' if group[0].role == 'user' else 'reply'}"
    if not standing.seen:
        title += f", {_WORDS[standing]}"
    tokens, own = sum(e.tokens for e in group), sum(e.own_tokens for e in group)
    return Line(f"turns {group[0].message_id or DRAFT}", TURNS, title, standing, tokens, own, group)


def _range(group: tuple[ContextEntry, ...]) -> str:
    first, last = group[0].turn, group[-1].turn
    return f"Turn {first}" if first == last else f"Turns {first:,} to {last:,}"


def _add(made: list[Row], line: Line, opened: Collection[str], all_open: bool) -> None:
    unfolded = bool(line.entries) and (all_open or line.key in opened)
    made.append(replace(line, open=True) if unfolded else line)
    if unfolded:
        made.extend(line.entries)


def message_line(entry: ContextEntry, *, level: int, excerpt: str = "") -> Line:
    """The line of one message."""
    words = entry.excerpt or excerpt
    if not entry.message_id:
        who, key = "What you are writing", DRAFT
    else:
        who, key = f"{entry.turn:,} · {'You' if entry.role == 'user' else 'Reply'}", entry.message_id
    title = f"{who}: {words}" if words else who
    return Line(key, MESSAGE, title, entry.standing, entry.tokens, entry.own_tokens, (entry,), level)
