"""A person starts, talks, quits, comes back, and everything is there."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QRect
from PySide6.QtGui import QImage

from tests.end_to_end.conftest import Start, choose
from tests.end_to_end.screen import Screen
from tests.end_to_end.window import LONG, ended, replies, rows
from tests.support.command import json_of
from tests.support.processes import until

QUESTION = "Why is the sky blue?"


def colours(image: QImage) -> int:
    """How many there are: one on an empty page, many where there is writing."""
    return len({image.pixel(x, y) for x in range(image.width()) for y in range(0, image.height(), 3)})


def test_a_conversation_outlives_the_window(start: Start, home: Path, screen: Screen) -> None:
    """Without any watching: the program that people start, keys, the screen, the command line."""
    choose(home, max_tokens=40)
    window = start(plain=True).ready()
    assert window.title() == "Inglenook"
    window.send(QUESTION)
    first = ended(home, 1, "done")
    assert first
    window.until(lambda: QUESTION in window.title(), "the conversation in the title")
    choose(home)
    screen.do("windowmove", window.id, "90", "40")
    screen.do("windowsize", "--sync", window.id, "1100", "760")
    place = screen.place(window.id)
    words = QRect(place["X"] + 300, place["Y"] + 100, 700, 200)  # where the first messages stand
    assert window.quit() == 0
    shown = json_of(home, "chats", "show", "last")
    assert [message["text"] for message in shown["messages"]] == [QUESTION, first]
    assert [message["state"] for message in shown["messages"]] == ["done", "done"]

    window = start(plain=True).ready()
    window.until(lambda: QUESTION in window.title(), "the conversation to be shown again")
    assert screen.place(window.id) == place
    until(lambda: colours(screen.picture("first_light_again").copy(words)) > 20, "words on the screen")
    before = screen.picture("first_light_again").copy(words)
    window.send(LONG)
    until(lambda: rows(home, "SELECT 1 FROM growth"), "the long reply to grow")
    window.keys("Escape")
    stopped = ended(home, 2, "stopped")
    assert stopped
    until(lambda: screen.picture("first_light_stopped").copy(words) != before, "the longer conversation on the screen")
    assert window.quit() == 0
    shown = json_of(home, "chats", "show", "last")
    assert [message["text"] for message in shown["messages"]] == [QUESTION, first, LONG, stopped]
    assert [chat["title"] for chat in json_of(home, "chats", "list")] == [shown["title"]]


def test_what_was_shown_is_shown_again(start: Start, home: Path) -> None:
    choose(home, max_tokens=24)
    window = start().ready()
    window.send(QUESTION)
    text = ended(home, 1, "done")
    window.shows(text)
    assert window.quit() == 0
    window = start().ready()
    window.shows(QUESTION)
    window.shows(text)
    assert {QUESTION, f"You: {QUESTION}"} <= window.shown().keys(), "in the list and as a message"
    assert window.quit() == 0


def test_a_draft_outlives_a_kill(start: Start, home: Path) -> None:
    window = start().ready()
    window.write("half a thought")
    until(lambda: rows(home, "SELECT 1 FROM drafts WHERE text = 'half a thought'"), "the draft to be kept")
    window.kill()
    window = start().ready()
    window.shows("half a thought")
    window.write(" and the rest")
    window.keys("Return")
    window.writing()
    window.keys("Escape")
    ended(home, 1, "stopped")
    assert rows(home, "SELECT text FROM bodies ORDER BY message_row")[0] == ("half a thought and the rest",)
    assert replies(home)[0][0] == "stopped"
    assert window.quit() == 0
