"""What is said about a context window: shares of the bar, captions, offers with their costs. Words only, no widget."""

from __future__ import annotations

from dataclasses import dataclass

from app.chat.context_view import ContextView, Policy, Standing
from app.ui import words
from app.ui.components.context.bars import ANSWER, FREE, KEPT, PINNED, SUMMARISED, THINKING, TRIMMED, Part

GROW, SUMMARISE, LEAVE_OUT_OLDEST = "grow", "summarise", "leave_out_oldest"
NEARLY_FULL = 0.8

POLICIES: dict[Policy, tuple[str, str]] = {
    Policy.ROLLING: (
        "Roll on",
        "The oldest turns leave, whole. Pinned messages and your instructions stay.",
    ),
    Policy.SUMMARISE: (
        "Summarise",
        "The model writes a note of the oldest turns. You can read and change it.",
    ),
    Policy.ASK: ("Ask me", "Nothing leaves by itself. You choose before the reply is written."),
}


def parts_of(view: ContextView, written: int = 0, thought: int = 0) -> tuple[list[Part], list[Part]]:
    """The shares in the two columns of the legend. `written` and `thought`: tokens of the reply that is growing."""
    kinds = view.by_kind()
    trimmed = left_out = 0
    for entry in view.entries:
        if entry.standing is Standing.TRIMMED:
            trimmed += entry.own_tokens
        elif entry.standing is Standing.OUTSIDE:
            left_out += entry.own_tokens
    grown = written + thought
    reserve = max(0, view.reserve - grown)
    free = max(0, view.limit - view.used - grown - reserve)
    thinking = kinds["thinking"] + thought
    left = [
        Part(PINNED, "Pinned", kinds["system"] + kinds["pinned"]),
        Part(SUMMARISED, "Summarised", kinds["note"]),
        Part(KEPT, "Kept", kinds["history"] + written),
    ]
    right = [Part(ANSWER, "For the answer", reserve), Part(FREE, "Free", free), Part(TRIMMED, "Trimmed", trimmed)]
    if thinking:
        left.append(Part(THINKING, "Thinking", thinking))
    if left_out:
        right.append(Part(TRIMMED, "Left out", left_out))
    return left, right


def bar_of(parts: tuple[list[Part], list[Part]]) -> list[Part]:
    """The shares in the order in which they lie in the window."""
    left, right = parts
    by_style = {part.style: part for part in (*left, *(p for p in right if p.style != TRIMMED))}
    return [by_style[style] for style in (PINNED, SUMMARISED, KEPT, THINKING, ANSWER, FREE) if style in by_style]


def caption_of(view: ContextView, *, past: bool = False) -> str:
    """What else there is to say about the numbers, in at most two sentences. `past`: a reply was written with it."""
    said = []
    if past:
        said.append("The sum was counted, the share of each message is reckoned from its length.")
        if view.cached:
            said.append(f"{view.cached:,} were in memory.")
    elif not view.exact:
        said.append("Estimated, since the model is not loaded.")
    elif view.cached:
        said.append(f"{view.cached:,} are in memory and not read again.")
    if view.read_again:
        said.append(view.read_again)
    elif thought := sum(e.thinking_tokens for e in view.entries if e.thinking_tokens and e.standing.seen):
        said.append(f"{thought:,} tokens of thinking left with the question that followed.")
    return " ".join(said)


@dataclass(frozen=True, slots=True)
class Offer:
    """Something that can be done about a full window. `actions` are keys with their words."""

    kind: str
    text: str
    actions: tuple[tuple[str, str], ...] = ()


def actions_of(view: ContextView, *, for_one: bool = False) -> tuple[tuple[str, str], ...]:
    """What gives a reply room: a longer context, a note, less history. `for_one`: a single message is too large."""
    made = [(GROW, f"Use {words.context_short(view.grow_to)} of context")] if view.grow_to else []
    if not for_one:
        made += [(SUMMARISE, "Summarise"), (LEAVE_OUT_OLDEST, "Leave out the oldest")]
    return tuple(made)


def offer_of(view: ContextView) -> Offer | None:
    """The one thing that is most worth offering now, or nothing."""
    if view.waiting:
        return Offer("fill", "The model is loaded again as soon as the replies that are being written have ended.")
    if view.too_large:
        return Offer("rose", f"{view.too_large_said} {_longer(view)}".strip(), actions_of(view, for_one=True))
    if view.needs_choice:
        what = "The window is full. Choose what goes before the next reply."
        return Offer("ochre", f"{what} {_longer(view)}".strip(), actions_of(view))
    trimmed = any(entry.standing is Standing.TRIMMED for entry in view.entries)
    if view.grow_to and (trimmed or view.used + view.reserve >= view.limit * NEARLY_FULL):
        return Offer("fill", _longer(view), actions_of(view, for_one=True))
    return None


def _longer(view: ContextView) -> str:
    if not view.grow_to:
        return ""
    longer, now = words.context_short(view.grow_to), words.context_short(view.limit)
    return f"{longer} instead of {now} takes {words.size(view.grow_bytes)} more; everything is read once again."
