"""Grouping entries by turn, folding, and ten thousand of them."""

from __future__ import annotations

import time

import msgspec
import pytest

from app.chat.context_view import ContextEntry, ContextView, Standing
from app.ui.components.context import words
from app.ui.models.context import ContextModel
from app.ui.models.context_lines import Line
from tests.screenshots import contexts


def model_of(view: ContextView) -> ContextModel:
    model = ContextModel(lambda message_id: f"first words of {message_id}")
    model.show(view)
    return model


def lines(model: ContextModel) -> list[Line]:
    found = [model.line(row) for row in range(model.rowCount())]
    return [line for line in found if line is not None]


def test_turns_with_the_same_standing_are_one_line() -> None:
    titles = [(line.title, line.amount) for line in lines(model_of(contexts.nearly_full()))]
    assert titles == [
        ("Instructions", "312"),
        ("3 · You: Is 45 °C enough for them?", "152"),
        ("Turns 1 to 6, summarised from 2,968", "240"),
        ("Turn 7, trimmed", "0 of 890"),
        ("Turns 8 to 9", "880"),
        ("Turn 9, reply, left out", "0 of 480"),
        ("Turns 10 to 11", "922"),
        ("This turn", "9"),
    ]


def test_every_message_of_every_standing_is_listed_once() -> None:
    view = contexts.nearly_full()
    model = model_of(view)
    model.set_all_open(True)
    listed = [line.message_id for line in lines(model) if line.message_id]
    assert sorted(listed) == sorted(entry.message_id for entry in view.entries if entry.message_id)
    assert sum(line.tokens for line in lines(model) if line.kind == "message") == sum(
        entry.tokens for entry in view.entries if entry.kind == "message"
    )


def test_a_group_unfolds_and_folds() -> None:
    model = model_of(contexts.roomy())
    row = next(row for row, line in enumerate(lines(model)) if line.title == "Turns 1 to 10")
    model.fold(row, opened=True)
    assert [line.title[:6] for line in lines(model)[row + 1 : row + 3]] == ["1 · Yo", "1 · Re"]
    assert model.group_of(row + 5) == row
    model.fold(row, opened=False)
    assert model.rowCount() == 3


def test_what_holds_nothing_stands_with_its_neighbours() -> None:
    view = contexts.roomy()
    empty = msgspec.structs.replace(view.entries[4], standing=Standing.OUTSIDE, tokens=0, own_tokens=0)
    view = msgspec.structs.replace(view, entries=(*view.entries[:4], empty, *view.entries[5:]))
    assert [line.title for line in lines(model_of(view))] == ["Instructions", "Turns 1 to 10", "This turn"]


def test_a_message_far_back_gets_its_words_when_it_is_looked_at() -> None:
    model = model_of(contexts.endless(200))
    model.set_all_open(True)
    line = model.line(model.row_of("q3"))
    assert line is not None
    assert line.title == "3 · You: first words of q3"


def test_a_pinned_message_far_back_has_words_too() -> None:
    view = contexts.endless(200)
    pinned = msgspec.structs.replace(view.entries[5], standing=Standing.PINNED)
    model = model_of(msgspec.structs.replace(view, entries=(*view.entries[:5], pinned, *view.entries[6:])))
    assert [line.title for line in lines(model)][1] == "3 · You: first words of q3"


@pytest.mark.parametrize("all_open", [False, True])
def test_ten_thousand_messages_are_grouped_in_time(all_open: bool) -> None:
    view = contexts.endless()
    model = ContextModel(lambda message_id: "")
    model.set_all_open(all_open)
    began = time.perf_counter()
    model.show(view)
    assert time.perf_counter() - began < 0.5  # a guard; measured: 10 to 20 ms
    assert model.rowCount() == (10_004 if all_open else 4)


def test_the_shares_add_up_to_the_window() -> None:
    for view in (contexts.roomy(), contexts.nearly_full(), contexts.endless(300)):
        parts = words.bar_of(words.parts_of(view))
        assert sum(part.tokens for part in parts) == view.limit
        grown = words.bar_of(words.parts_of(view, 100, 50))
        assert sum(part.tokens for part in grown) == view.limit
        assert [part.tokens for part in grown if part.style == "thinking"] == [50]


def test_offers_say_what_they_cost() -> None:
    offer = words.offer_of(contexts.overflowing())
    assert offer is not None
    assert offer.text == (
        "The window is full. Choose what goes before the next reply. "
        "8k instead of 4k takes 640 MB more; everything is read once again."
    )
    assert [key for key, _ in offer.actions] == ["grow", "summarise", "leave_out_oldest"]
    said = "This message needs 9,120 tokens and the model sees 4,095. Send it in parts."
    too_large = msgspec.structs.replace(contexts.overflowing(), too_large=9120, too_large_said=said, grow_to=0)
    offer = words.offer_of(too_large)
    assert offer is not None
    assert offer.text == said
    offer = words.offer_of(msgspec.structs.replace(too_large, waiting=True))
    assert offer is not None
    assert offer.text.startswith("The model is loaded again as soon as")
    assert offer.actions == (), "it was taken"
    assert offer.actions == ()
    assert words.offer_of(contexts.roomy()) is None


def test_captions_are_honest() -> None:
    view = contexts.roomy()
    assert words.caption_of(view) == f"{view.cached:,} are in memory and not read again."
    assert words.caption_of(msgspec.structs.replace(view, exact=False)).startswith("Estimated")
    again = "The model's template changed old messages, so 1,200 tokens were read again."
    assert words.caption_of(msgspec.structs.replace(view, read_again=again)).endswith(again)
    thinking = msgspec.structs.replace(view.entries[2], thinking_tokens=700)
    view = msgspec.structs.replace(view, entries=(*view.entries[:2], thinking, *view.entries[3:]))
    assert "700 tokens of thinking left" in words.caption_of(view)


def test_an_empty_view() -> None:
    entry = ContextEntry(
        message_id="", kind="message", role="user", turn=1, excerpt="Hello", standing=Standing.KEPT, tokens=2,
        own_tokens=2,
    )  # fmt: skip
    view = ContextView(conversation_id="", model_name="", limit=0, used=2, reserve=0, entries=(entry,))
    assert [line.title for line in lines(model_of(view))] == ["This turn"]
    assert lines(model_of(msgspec.structs.replace(view, entries=()))) == []
