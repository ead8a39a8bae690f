"""Conversations too long to be read again: they are ready when one comes back to them, whatever happened between."""

from __future__ import annotations

from pathlib import Path

from tests.end_to_end.conftest import Start, choose
from tests.end_to_end.window import Window, ended, rows
from tests.support.command import json_of
from tests.support.processes import until

STORY = "The keeper of lighthouse {} counts the ships in the fog, and writes each of them into his book. "
LENGTH = 20
OPENED = 12
"""More tokens than the beginning of a reply has, which counts in a prompt's length and changes when it goes on."""


def say(window: Window, home: Path, text: str, count: int) -> tuple[int, int]:
    """Sends a message; tokens of its prompt, and how many of them were in memory. It is answered by reply `count`."""
    window.send(text)
    ended(home, count, "done")
    found = rows(home, "SELECT prompt_tokens, cached_tokens FROM reply_facts ORDER BY message_row DESC LIMIT 1")
    return int(found[0][0]), int(found[0][1])


def shown(window: Window, name: str) -> None:
    window.until(lambda: f"lighthouse {name}" in window.title(), f"the conversation about {name}")


def test_two_long_conversations_stay_ready_and_outlive_a_kill(start: Start, home: Path) -> None:
    choose(home, max_tokens=8, read_ahead=True)
    lengths: dict[str, int] = {}
    for name in ("one", "two"):
        json_of(home, "ask", piped=STORY.format(name) * LENGTH)
        ((lengths[name],),) = rows(home, "SELECT prompt_tokens FROM reply_facts ORDER BY message_row DESC LIMIT 1")
    assert min(lengths.values()) > 400
    until(lambda: len(list(home.rglob("*.kv"))) == 2, "a snapshot of each")

    window = start().ready()
    for turn, name in enumerate(("two", "one", "two")):
        window.click(f"The keeper of lighthouse {name}")
        shown(window, name)
        prompt, cached = say(window, home, f"What does he write on day {turn}?", 3 + turn)
        assert prompt > lengths[name]
        assert cached >= lengths[name] - OPENED

    window.kill()
    window = start().ready()
    shown(window, "two")
    prompt, cached = say(window, home, "Where is he?", 6)
    assert prompt > cached >= lengths["two"] - OPENED
    assert window.quit() == 0


def test_a_temporary_conversation_leaves_nothing_on_the_disk(home: Path) -> None:
    choose(home, max_tokens=8)
    json_of(home, "ask", "--temporary", piped=STORY.format("seven").replace("fog", "marzipan") * 10)
    assert not list(home.rglob("*.kv"))
    for kept in home.rglob("*"):
        assert not kept.is_file() or b"marzipan" not in kept.read_bytes(), kept
