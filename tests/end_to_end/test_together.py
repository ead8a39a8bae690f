"""Two windows, a window and a command: each data folder has one window, and everyone sees what the others write."""

from __future__ import annotations

import json
from pathlib import Path

from tests.end_to_end.conftest import Start, choose
from tests.end_to_end.screen import Screen
from tests.end_to_end.window import LONG, ended, replies, rows
from tests.support.command import json_of
from tests.support.command import start as begin_command
from tests.support.processes import until


def on_top(screen: Screen, x: int, y: int) -> str:
    """The window that a click here would meet."""
    screen.do("mousemove", str(x), str(y))
    lines = screen.do("getmouselocation", "--shell").splitlines()
    return next(line.removeprefix("WINDOW=") for line in lines if line.startswith("WINDOW="))


def test_a_second_start_shows_the_first_window(start: Start, home: Path, tmp_path: Path, screen: Screen) -> None:
    first = start(plain=True).ready()
    other_home = tmp_path / "other"
    choose(other_home)
    other = start(plain=True, at=other_home).ready()
    assert other.process.poll() is None, "another folder has a window of its own"
    place = screen.place(first.id)
    middle = place["X"] + place["WIDTH"] // 2, place["Y"] + place["HEIGHT"] // 2
    screen.do("windowraise", other.id)
    until(lambda: on_top(screen, *middle) == other.id, "the other window to lie on top")
    second = start(plain=True)
    assert second.exit_code() == 0
    until(lambda: on_top(screen, *middle) == first.id, "the first window to come forward")
    assert screen.windows_of(second.pid) == []
    screen.do("windowfocus", "--sync", first.id)
    assert first.quit() == 0
    screen.do("windowfocus", "--sync", other.id)
    assert other.quit() == 0


def test_a_command_asks_while_the_window_streams(start: Start, home: Path) -> None:
    choose(home, max_tokens=300)
    window = start().ready()
    window.send(LONG)
    window.writing(20)
    with begin_command(home, "ask", "Name three colours.", "--max-tokens", "12", "--json") as command:
        until(lambda: len(replies(home)) == 2, "the command's turn")
        assert rows(home, "SELECT count(*) FROM messages WHERE owner IS NOT NULL") == [(2,)], "both are being written"
        answer, complaint = command.communicate()
    assert command.returncode == 0, complaint
    asked = json.loads(answer)
    assert asked["text"]
    assert asked["completion_tokens"] <= 12
    window.shows("Name three colours.")
    until(lambda: [state for state, _ in replies(home)] == ["done", "done"], "both replies to be done")
    written = replies(home)[0][1]
    window.shows(written.strip()[-40:].split("\n")[-1])
    chats = json_of(home, "chats", "list")
    assert {chat["id"] for chat in chats} == {asked["conversation_id"], *window_chats(home)}
    window.click("Name three colours.")
    window.shows(asked["text"].strip().split("\n")[0])
    assert window.quit() == 0


def window_chats(home: Path) -> list[str]:
    return [chat for (chat,) in rows(home, "SELECT id FROM conversations WHERE title LIKE 'Write a very long story%'")]


def test_a_conversation_begun_by_a_command_goes_on_in_the_window(start: Start, home: Path) -> None:
    choose(home, max_tokens=12)
    window = start().ready()
    asked = json_of(home, "ask", "Name three colours.")
    window.click("Name three colours.")
    window.send("And three more.")
    ended(home, 2, "done")
    again = json_of(home, "ask", "Thank you.", "--continue", "last")
    assert again["conversation_id"] == asked["conversation_id"]
    window.shows("You: Thank you.")
    assert window.quit() == 0
    messages = json_of(home, "chats", "show", asked["conversation_id"])["messages"]
    wanted = ["Name three colours.", "And three more.", "Thank you."]
    assert [message["text"] for message in messages[::2]] == wanted
