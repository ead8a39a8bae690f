"""The words under and above a reply: its state, its speed, what went wrong. Painted elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtGui import QTextLayout

from app.base.sizes import size_words
from app.chat.messages import ReplyFacts, ReplyState
from app.ui.components.transcript.looks import Looks
from app.ui.components.transcript.standing import WAYS_ON, flowed

NOTE_PAD = 12
NOTE_LINE = 20
NOTE_BUTTON = 92


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence under the reply. `trouble` stands on rose (a choice on ochre) with actions, the others are quiet.

    Height in pixels; `ways_on` are the actions of a refusal, else there is Try again.
    """

    kind: str
    text: str
    trouble: bool
    height: int
    lines: tuple[str, ...]
    ways_on: tuple[str, ...] = ()


def notes_of(state: ReplyState, facts: ReplyFacts | None, looks: Looks, width: int) -> list[Note]:
    """What has to be said under a reply in this state."""
    notes: list[Note] = []
    left_out = facts.unseen if facts else 0
    if left_out == 1:
        notes.append(
            _note("left_out", "1 earlier message did not fit and was left out of what the model read.", looks, width)
        )
    elif left_out:
        text = f"{left_out:,} earlier messages did not fit and were left out of what the model read."
        notes.append(_note("left_out", text, looks, width))
    if state is ReplyState.FAILED:
        said = facts.error_sentence if facts else ""
        ways_on = WAYS_ON.get(facts.error_code, ()) if facts else ()
        kind = "choice" if facts and facts.error_code == "context_full" else "failed"
        notes.append(_note(kind, said or "The reply failed.", looks, width, ways_on))
    elif state is ReplyState.LOST:
        said = facts.error_sentence if facts else ""
        notes.append(_note("lost", said or "The reply was interrupted. What was written so far is kept.", looks, width))
    elif facts and facts.generation and facts.generation.finish_reason == "length":
        notes.append(_note("length", "The reply stopped at its length limit.", looks, width))
    return notes


def _note(kind: str, text: str, looks: Looks, width: int, ways_on: tuple[str, ...] = ()) -> Note:
    trouble = kind in ("failed", "lost", "choice")
    room = width - 24 - (NOTE_BUTTON + 12 if trouble and not ways_on else 0)
    lines = tuple(_wrapped(text, looks, room))
    height = len(lines) * NOTE_LINE + (2 * NOTE_PAD if trouble else 0)
    if ways_on:
        height += NOTE_PAD + flowed(ways_on, looks, width)[-1][1].bottom() + 1
    return Note(kind, text, trouble, height, lines, ways_on)


def _wrapped(text: str, looks: Looks, room: int) -> Iterator[str]:
    layout = QTextLayout(text, looks.secondary)
    layout.beginLayout()
    line = layout.createLine()
    while line.isValid():
        line.setLineWidth(room)
        yield text[line.textStart() : line.textStart() + line.textLength()]
        line = layout.createLine()
    layout.endLayout()


def seconds(value: float) -> str:
    """A duration as a person says it."""
    whole = round(value)
    if whole < 60:
        return f"{max(1, whole)} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def thinking_line(facts: ReplyFacts | None, *, now: bool) -> str:
    """The folded thinking in words."""
    if now:
        return "Thinking…"
    return f"Thought for {seconds(facts.thinking_s)}" if facts and facts.thinking_s > 0 else "Thought first"


def waiting_line(state: ReplyState, progress: tuple[int, int] | None) -> str:
    """What a reply without text is doing; nothing when the caret says enough."""
    if state is ReplyState.QUEUED:
        return "Waiting for the model"
    if state is ReplyState.READING and progress and progress[1] > 0:
        done, total = progress
        return f"Reading: {done:,} of {total:,} tokens ({100 * done // total} %)"
    return ""


def facts_line(state: ReplyState, facts: ReplyFacts | None) -> str:
    """How fast the reply came, at the right of its actions."""
    words: list[str] = []
    if state is ReplyState.STOPPED:
        words.append("Stopped")
    made = facts.generation if facts else None
    if made:
        if made.tokens_per_s > 0:
            words.append(f"{made.tokens_per_s:.1f} tokens/s")
        if made.completion_tokens and made.ttft_s > 0:
            words.append(f"first token {made.ttft_s:.1f} s" if made.ttft_s >= 0.1 else "first token 0.1 s")
        if made.completion_tokens:
            words.append(f"{made.completion_tokens:,} token{'' if made.completion_tokens == 1 else 's'}")
        if made.accepted_tokens:
            words.append(f"{made.accepted_tokens:,} guessed ahead")
    return " · ".join(words)


def device_lines(facts: ReplyFacts | None) -> list[str]:
    """What a reply was computed on, a line for each device: 'CUDA0: 28 layers, 6.7 GB', 'Memory: 1.2 GB'."""
    lines = []
    for share in facts.devices if facts is not None else ():
        name = "Memory" if share.kind == "cpu" else share.name
        layers = f"{share.layers} layer{'' if share.layers == 1 else 's'}, " if share.layers else ""
        if share.total_bytes:
            lines.append(f"{name}: {layers}{size_words(share.total_bytes)}")
    return lines


def adapter_lines(facts: ReplyFacts | None) -> list[str]:
    """What lay over the model for a reply, a line for each adapter: 'plain-words, scale 0.80'."""
    adapters = facts.adapters if facts is not None else ()
    return [f"{Path(adapter.path).stem}, scale {adapter.scale:.2f}" for adapter in adapters]


def spoken_name(question: bool, state: ReplyState, facts: ReplyFacts | None) -> str:
    """Who speaks and in what state, for a screen reader."""
    if question:
        return "You"
    who = facts.model_name if facts and facts.model_name else "Reply"
    how = {
        ReplyState.QUEUED: "waiting for the model",
        ReplyState.READING: "reading",
        ReplyState.WRITING: "writing",
        ReplyState.STOPPED: "stopped",
        ReplyState.FAILED: f"failed. {facts.error_sentence if facts else ''}".strip(),
        ReplyState.LOST: f"interrupted. {facts.error_sentence if facts else ''}".strip(),
    }.get(state, "")
    return f"{who}, {how}" if how else who
