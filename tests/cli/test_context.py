"""`chats context` and the marks, as people run them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command import inglenook, json_of

pytestmark = pytest.mark.usefixtures("starter_model")

BRIEF = ("--max-tokens", "12", "--seed", "1", "--threads", "1")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def test_what_the_model_would_see(home: Path) -> None:
    first = json_of(home, "ask", "Why is the sky blue?", *BRIEF)
    view = json_of(home, "chats", "context", "last")
    assert view["conversation_id"] == first["conversation_id"]
    assert (view["exact"], view["limit"], view["policy"], view["too_large"]) == (True, 8192, "rolling", 0)
    known = first["prompt_tokens"] + first["completion_tokens"]
    assert known <= view["used"] <= known + 8  # the end of the turn, and what opens the next
    assert view["free"] == view["limit"] - view["used"] - view["reserve"]
    assert sum(view["by_kind"].values()) == view["used"] + view["reserve"]
    question, answer = view["entries"]
    assert (question["role"], question["standing"], question["turn"]) == ("user", "kept", 1)
    assert question["excerpt"] == "Why is the sky blue?"
    assert question["tokens"] > 0
    plain = inglenook(home, "chats", "context", view["conversation_id"][:12])
    assert plain.returncode == 0
    assert f"{view['used']:,} of 8,192 tokens, " in plain.stdout
    assert "Why is the sky blue?" in plain.stdout
    assert inglenook(home, "chats", "leave-out", answer["message_id"]).returncode == 0
    assert inglenook(home, "chats", "pin", question["message_id"]).returncode == 0
    view = json_of(home, "chats", "context", "last", "--estimate")
    assert view["exact"] is False
    assert [entry["standing"] for entry in view["entries"]] == ["pinned", "kept"]  # the newest is sent all the same
    second = json_of(home, "ask", "And at night?", "--continue", "last", *BRIEF)
    assert second["conversation_id"] == first["conversation_id"]
    view = json_of(home, "chats", "context", "last", "--ctx", "256")
    assert [entry["standing"] for entry in view["entries"]] == ["pinned", "outside", "kept", "kept"]
    assert [entry["tokens"] == 0 for entry in view["entries"]] == [False, True, False, False]
    assert view["limit"] == 256
    assert inglenook(home, "chats", "unmark", answer["message_id"]).returncode == 0
    view = json_of(home, "chats", "context", "last", "--estimate")
    assert [entry["standing"] for entry in view["entries"]] == ["pinned", "kept", "kept", "kept"]


def test_what_does_not_fit_is_told(home: Path) -> None:
    words = "The lighthouse keeper counts the ships that pass in the fog. " * 12
    json_of(home, "ask", words, *BRIEF, "--ctx", "512")
    json_of(home, "ask", words, "--continue", "last", *BRIEF, "--ctx", "512")
    json_of(home, "ask", words, "--continue", "last", *BRIEF, "--ctx", "512")
    view = json_of(home, "chats", "context", "last", "--ctx", "512")
    assert [entry["standing"] for entry in view["entries"]][:2] == ["trimmed", "trimmed"]
    assert view["entries"][0]["own_tokens"] > 100
    assert view["grow_to"] == 1024
    assert "trimmed" in inglenook(home, "chats", "context", "last", "--ctx", "512").stdout


@pytest.mark.parametrize("arguments", [("chats", "context", "last"), ("chats", "pin", "nowhere")])
def test_nothing_there(home: Path, arguments: tuple[str, ...]) -> None:
    done = inglenook(home, *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("inglenook: There is no ")
    assert done.stderr.count("\n") == 1
