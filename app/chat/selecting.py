"""Which messages of a path are seen, and how one prompt goes on from another: marks, notes, and what the window let go.

Pure rules over ids; what fits is reckoned in context.py.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from app.chat.context import fit
from app.chat.context_view import Mark, Note, Standing
from app.chat.messages import Message, ReplyFacts
from app.engine.values import Adapter

SLACK = 32
"""Tokens around a reply that may be read again without a word: a template ends a turn otherwise than a model does."""


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages of a path are seen: from place `first` on all but those left out by hand, before it the pinned
    ones. `note` stands in place of what lies at `note_first`..`note_end` (not included).

    `ids` is the whole path, root first; its last message, the newest, is seen whatever its mark.
    """

    ids: Sequence[str]
    marks: Mapping[str, Mark]
    first: int = 0
    note: Note | None = None
    note_first: int = 0
    note_end: int = 0

    @property
    def first_kept(self) -> str:
        """The id of the first message after those that left."""
        return self.ids[self.first] if self.first < len(self.ids) else ""

    @property
    def left_out_before(self) -> bool:
        """Whether something of what left was left out by hand."""
        marked = {one for one, mark in self.marks.items() if mark is Mark.LEFT_OUT}
        return bool(marked) and not marked.isdisjoint(self.ids[: self.first])

    def standing(self, place: int) -> Standing:
        """Of the message at this place."""
        mark = self.marks.get(self.ids[place])
        if mark is Mark.PINNED:
            return Standing.PINNED
        if place == len(self.ids) - 1:
            return Standing.KEPT
        if mark is Mark.LEFT_OUT:
            return Standing.OUTSIDE
        if self.note_first <= place < self.note_end:
            return Standing.SUMMARISED
        return Standing.TRIMMED if place < self.first else Standing.KEPT

    def kept_before(self) -> list[str]:
        """The ids of what is seen before `first`: what is pinned there."""
        pinned = {one for one, mark in self.marks.items() if mark is Mark.PINNED}
        return [one for one in self.ids[: self.first] if one in pinned] if pinned else []

    def seen(self, end: int | None = None) -> set[str]:
        """The ids of all that is in the prompt, up to a place."""
        end = len(self.ids) if end is None else end
        kept = {self.ids[place] for place in range(self.first, end) if self.standing(place).seen}
        return kept.union(self.kept_before())

    def exceptions(self) -> tuple[list[str], list[str], int]:
        """What a reply's facts keep beside `first_kept`: those left out from there on, those pinned before it, and how
        many before it are not seen."""
        left_out = [self.ids[p] for p in range(self.first, len(self.ids)) if not self.standing(p).seen]
        kept_before = self.kept_before()
        return left_out, kept_before, self.first - len(kept_before)


def select(
    ids: Sequence[str],
    marks: Mapping[str, Mark],
    notes: Sequence[Note],
    last: Message | None,
    *,
    first: int,
    model_id: str,
    n_ctx: int,
) -> Selection:
    """What is seen before anything is counted. `first`: what lies before this place is out of reach.

    The note that reaches furthest applies. What left because of the window stays out as long as the model and its
    window are those of the `last` reply of the path, so that the prompt keeps its beginning; a note that was removed
    since gives its turns back.
    """
    places = {one: place for place, one in enumerate(ids)}
    newest = len(ids) - 1
    applying = [note for note in notes if places.get(note.upto_id, newest) < newest]
    note = max(applying, key=lambda one: (places[one.upto_id], one.created_ms), default=None)
    note_first = note_end = 0
    if note is not None:
        note_first = places.get(note.after_id, -1) + 1 if note.after_id is not None else 0
        note_end = places[note.upto_id] + 1
    facts = last.facts if last is not None else None
    if (
        facts is not None
        and facts.model_id == model_id
        and facts.n_ctx == n_ctx
        and (note is not None or not facts.note)
    ):
        first = max(first, _first_of(facts, ids, places))
    first = min(max(first, note_end), max(newest, 0))
    return Selection(ids=ids, marks=marks, first=first, note=note, note_first=note_first, note_end=note_end)


def as_seen(ids: Sequence[str], facts: ReplyFacts, notes: Sequence[Note]) -> Selection:
    """What a reply saw of the path that leads to it, from what is kept with it. The range of its note is told by a note
    that is still there."""
    places = {one: place for place, one in enumerate(ids)}
    if not facts.first_kept:
        gone = {*facts.left_out}
        first = next((place for place, one in enumerate(ids) if one not in gone), len(ids))
        return Selection(ids=ids, marks={}, first=first)
    first = places.get(facts.first_kept, 0)
    marks = {**dict.fromkeys(facts.left_out, Mark.LEFT_OUT), **dict.fromkeys(facts.kept_before, Mark.PINNED)}
    if not facts.note:
        return Selection(ids=ids, marks=marks, first=first)
    ending = [note for note in notes if places.get(note.upto_id, first) < first]
    note = max(ending, key=lambda one: places[one.upto_id], default=None)
    begin = places.get(note.after_id, -1) + 1 if note is not None and note.after_id is not None else 0
    end = places[note.upto_id] + 1 if note is not None else first
    said = Note(id="", conversation_id="", upto_id="", text=facts.note)
    return Selection(ids=ids, marks=marks, first=first, note=said, note_first=begin, note_end=end)


def cut(selection: Selection, seen: Sequence[Message], tokens: Mapping[str, int], total: int, limit: int, reserve: int
        ) -> Selection | None:  # fmt: skip
    """The selection after the oldest turns left; None if all fits. `seen` are the messages of the prompt, `tokens` what
    each of them adds to `total`. Raises TooLarge."""
    pinned = {place for place, message in enumerate(seen) if selection.marks.get(message.id) is Mark.PINNED}
    roles = [message.role.value for message in seen]
    spans = [tokens.get(message.id, 0) for message in seen]
    fitted = fit(roles, spans, total, limit, reserve, pinned)
    if not fitted.left_out:
        return None
    first = selection.ids.index(seen[fitted.first].id, selection.first)
    return msgspec.structs.replace(selection, first=first)


class Sequel(msgspec.Struct, frozen=True, kw_only=True):
    """How a prompt goes on from the one before it. `extends`: it is that prompt with more at its end. `rolled`: it is,
    but for the oldest turns, which the window alone made leave. `repeats`: it is the same prompt once more. `by_hand`:
    of the oldest turns some were left out by hand."""

    extends: bool = False
    rolled: bool = False
    repeats: bool = False
    by_hand: bool = False

    @property
    def may_shift(self) -> bool:
        """Whether all that is missing left by itself: what a person took away must leave no trace in what stays."""
        return not self.by_hand and (self.extends or self.rolled or self.repeats)


def sequel(
    selection: Selection,
    silent: Collection[str],
    last: Message | None,
    *,
    model_id: str,
    system_prompt: str,
    note: str,
    adapters: Sequence[Adapter] = (),
) -> Sequel:
    """Compares with what the `last` reply of the path saw. `silent` are messages without anything in them."""
    facts = last.facts if last is not None else None
    if last is None or facts is None or facts.generation is None or last.id not in selection.ids:
        return Sequel()
    before_it = facts.model_id, facts.system_prompt, facts.note, [*facts.adapters]
    if before_it != (model_id, system_prompt, note, [*adapters]):
        return Sequel()
    ids = selection.ids
    end = ids.index(last.id)
    before = saw(facts, ids[:end]) - {*silent}
    now = selection.seen(end) - {*silent}
    if not selection.standing(end).seen or now - before:
        return Sequel()
    removed = before - now
    by_hand = selection.left_out_before
    if not removed:
        return Sequel(extends=True, by_hand=by_hand)
    rolled = {one for one in ids[: selection.first] if one not in selection.marks}
    return Sequel(rolled=removed <= rolled and not removed & {*facts.kept_before}, by_hand=by_hand)


def saw(facts: ReplyFacts, ids: Sequence[str]) -> set[str]:
    """Which of the messages before a reply it saw, by what is kept with it."""
    if not facts.first_kept:
        return {*ids} - {*facts.left_out}
    first = ids.index(facts.first_kept) if facts.first_kept in ids else 0
    return ({*ids[first:]} - {*facts.left_out}) | ({*facts.kept_before} & {*ids})


def reread(sequel: Sequel, last: Message | None, dropped_tokens: int) -> int:
    """How many tokens were processed again without a reason in the conversation: of those that the cache held and that
    did not match a prompt which only grew. Thinking leaves with the next question, and the answer after it is read once
    more; that is no surprise."""
    facts = last.facts if last is not None else None
    if not sequel.extends or last is None or facts is None or facts.generation is None:
        return 0
    expected = facts.generation.completion_tokens if last.thinking else 0
    return dropped_tokens - expected if dropped_tokens > expected + SLACK else 0


def last_reply(path: Sequence[Message]) -> Message | None:
    """The last reply of a path that was generated."""
    for message in reversed(path):
        if message.facts is not None and message.facts.generation is not None:
            return message
    return None


def _first_of(facts: ReplyFacts, ids: Sequence[str], places: Mapping[str, int]) -> int:
    """Where the window of a reply began on this path."""
    if facts.first_kept:
        return places.get(facts.first_kept, 0)
    gone = {*facts.left_out}
    return next((place for place, one in enumerate(ids) if one not in gone), 0)
