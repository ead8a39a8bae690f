"""The tree that a screen reader walks, and what it is told while a reply is written."""

from __future__ import annotations

import gc

import pytest
from PySide6.QtCore import QPoint
from PySide6.QtGui import QAccessible, QAccessibleInterface
from pytestqt.qtbot import QtBot

from app.chat.messages import ReplyState
from app.services.changes import ReplyChanged, ReplyGrew
from app.ui.components.transcript.speaking import complete_sentences, spoken
from app.ui.components.transcript.transcript import Transcript
from tests.support.transcripts import FACTS, Conversations
from tests.ui.transcript.conftest import Show

NAME = QAccessible.Text.Name


def tree(transcript: Transcript) -> QAccessibleInterface:
    found = QAccessible.queryAccessibleInterface(transcript)
    assert found is not None
    return found


@pytest.fixture
def talk(conversations: Conversations) -> Conversations:
    conversations.ask("Why?")
    conversations.answer("Because **it is**.\n\n```python\nx\n```\n")
    return conversations


def test_messages_are_list_items_with_speaker_state_and_text(show: Show, talk: Conversations) -> None:
    talk.ask("Again?")
    live = talk.answer("Let me", state=ReplyState.WRITING)
    talk.siblings_of[live] = ["other", live]
    interface = tree(show())
    assert interface.role() == QAccessible.Role.List
    assert interface.text(NAME) == "Conversation"
    assert interface.childCount() == 4
    items = [interface.child(i) for i in range(4)]
    assert {item.role() for item in items} == {QAccessible.Role.ListItem}
    assert [item.text(NAME) for item in items] == [
        "You: Why?",
        "Qwen3 8B: Because it is. A code block.",
        "You: Again?",
        "Qwen3 8B, writing: Let me",
    ]
    assert items[3].text(QAccessible.Text.Description) == "Version 2 of 2"
    assert [interface.indexOfChild(item) for item in items] == [0, 1, 2, 3]
    assert items[3].state().busy
    assert not items[0].state().busy
    assert all(item.parent().role() == QAccessible.Role.List for item in items)


def test_items_are_where_they_are_painted(show: Show, talk: Conversations) -> None:
    transcript = show()
    transcript.settle()
    interface = tree(transcript)
    place = transcript.viewport().mapToGlobal(QPoint(transcript.left + 5, 35))
    assert interface.childAt(place.x(), place.y()).text(NAME) == "You: Why?"
    assert interface.child(0).rect().contains(place)
    assert not interface.child(0).state().offscreen


def test_the_keyboard_is_where_the_ring_is(show: Show, talk: Conversations) -> None:
    transcript = show()
    interface = tree(transcript)
    assert interface.focusChild() is None
    transcript.keys.tab(True)
    transcript.keys.tab(True)
    transcript.keys.tab(True)
    assert interface.focusChild().text(NAME) == "Copy code"
    assert interface.focusChild().state().focused == transcript.hasFocus()
    assert interface.focusChild().parent().text(NAME).startswith("Qwen3 8B")
    assert interface.child(1).state().focused == transcript.hasFocus()


def test_what_can_be_done_are_buttons_in_the_message(show: Show, conversations: Conversations) -> None:
    conversations.answer("- one\n\n  ```py\n  x\n  ```\n\n```sh\nls\n```\n", thinking="It is a list")
    transcript = show()
    transcript.settle()
    item = tree(transcript).child(0)
    buttons = [item.child(index) for index in range(item.childCount())]
    assert {button.role() for button in buttons} == {QAccessible.Role.Button}
    assert [button.text(NAME) for button in buttons] == [
        "Show or hide the thinking", "Copy code", "Copy code", "Copy message", "Write the reply again",
    ]  # fmt: skip
    assert [item.indexOfChild(button) for button in buttons] == list(range(5))
    assert all(item.rect().contains(button.rect().center()) for button in buttons)
    place = buttons[2].rect().center()
    assert item.childAt(place.x(), place.y()) is buttons[2]
    assert buttons[0].state().collapsed
    assert "It is a list" not in item.text(QAccessible.Text.Value)
    transcript.deeds.fold(0)
    assert buttons[0].state().expanded
    assert item.text(QAccessible.Text.Value).startswith("It is a list")
    transcript.open(None)
    gc.collect()


def test_a_conversation_that_closes_leaves_no_item(show: Show, talk: Conversations) -> None:
    transcript = show()
    interface = tree(transcript)
    assert interface.child(0).isValid()
    transcript.open(None)
    assert interface.childCount() == 0
    gc.collect()
    transcript.open("c")
    assert interface.child(0).text(NAME) == "You: Why?"


def test_the_reply_is_told_by_sentences(show: Show, qtbot: QtBot, conversations: Conversations) -> None:
    conversations.ask("Go")
    reply = conversations.answer("", state=ReplyState.QUEUED, facts=None)
    transcript = show()
    told: list[str] = []
    transcript.announced.connect(told.append)
    at = 0
    for text in ("It is **nine", "** years. Perhaps", " ten. And 2.6", " more\n\nThe end"):
        transcript.apply(ReplyGrew(conversation_id="c", message_id=reply, offset=at, text=text))
        transcript.streaming.flush()
        at += len(text)
    assert told == ["It is nine years.", "Perhaps ten.", "And 2.6 more"]
    whole = "It is **nine** years. Perhaps ten. And 2.6 more\n\nThe end"
    conversations.change(reply, text=whole, state=ReplyState.DONE, facts=FACTS)
    transcript.apply(ReplyChanged(conversation_id="c", message_id=reply, state=ReplyState.DONE, facts=FACTS))
    assert told[-1] == "The end"


def test_code_is_named_not_read() -> None:
    text = "Look:\n\n```python\nx = 1. Yes.\n"
    assert complete_sentences(text, 0) <= text.index("```")
    assert spoken("- a\n\n  ```py\n  x\n  ```\n- b") == "a A code block. b"
    assert spoken("# Title\n\n- a [link](https://x.org)\n\n```py\nx\n```\n") == "Title a link A code block."
