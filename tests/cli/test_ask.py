"""`inglenook ask` with the real engine and the starter model."""

from __future__ import annotations

import os
import pty
import shlex
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest

from app.base.paths import Places
from app.cli.ask import text_of, whole_question
from app.engine.values import Sampling
from app.store.store import open_store
from tests.support import tiny_adapters, tiny_models
from tests.support.command import (
    command,
    environment,
    inglenook,
    json_of,
    last_messages,
    log_text,
    one_sentence,
    start,
)

pytestmark = pytest.mark.usefixtures("starter_model")

KEYS = [
    "text", "model", "conversation_id", "prompt_tokens", "cached_tokens", "completion_tokens", "ttft_s",
    "drafted_tokens", "accepted_tokens", "tokens_per_s", "load_s", "finish_reason", "devices", "adapters",
]  # fmt: skip
SHORT = ("--max-tokens", "12", "--seed", "1", "--ctx", "1024", "--threads", "1")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def test_an_answer_and_its_continuation(home: Path) -> None:
    first = inglenook(home, "ask", "Why is the sky blue?", *SHORT)
    assert first.returncode == 0, first.stderr
    assert first.stderr == ""
    assert len(first.stdout.split()) > 2
    assert first.stdout.endswith("\n")
    second = json_of(home, "ask", "And at night?", "--continue", "last", *SHORT)
    assert list(second) == KEYS
    assert second["text"]
    assert second["model"].startswith("SmolLM2-135M-Instruct")
    assert 0 < second["completion_tokens"] <= 12
    assert second["finish_reason"] in ("length", "stop")
    assert second["prompt_tokens"] > 30  # the first turn is part of it
    assert second["cached_tokens"] > 30  # the last process left its cache on the disk
    assert second["ttft_s"] > 0
    assert second["tokens_per_s"] > 0
    assert second["load_s"] > 0
    listed = json_of(home, "chats", "list")
    assert [chat["id"] for chat in listed] == [second["conversation_id"]]
    assert listed[0]["title"] == "Why is the sky blue?"
    shown = json_of(home, "chats", "show", second["conversation_id"][:35])
    assert [m["role"] for m in shown["messages"]] == ["user", "assistant", "user", "assistant"]
    assert shown["messages"][1]["text"] == first.stdout.removesuffix("\n")
    assert shown["messages"][3]["facts"]["generation"]["seed"] == 1
    assert "And at night?" in inglenook(home, "chats", "show", "last").stdout
    assert "sky" not in log_text(home)
    assert "night" not in log_text(home)


def test_a_temporary_question_leaves_nothing(home: Path) -> None:
    done = json_of(home, "ask", "Say the word xylophone", "--temporary", *SHORT)
    assert done["conversation_id"] is None
    assert done["text"]
    assert json_of(home, "chats", "list") == []
    held = [path for path in home.rglob("*") if path.is_file() and b"xylophone" in path.read_bytes()]
    assert held == []


def test_piped_text_joins_the_question(home: Path) -> None:
    json_of(home, "ask", "Summarise this:", *SHORT, piped="One line.\nAnother line.\n")
    json_of(home, "ask", *SHORT, piped="Only piped?\n")
    titles = [chat["title"] for chat in json_of(home, "chats", "list")]
    assert titles == ["Only piped?", "Summarise this:"]
    shown = json_of(home, "chats", "show", json_of(home, "chats", "list")[1]["id"])
    assert shown["messages"][0]["text"] == "Summarise this:\n\nOne line.\nAnother line."


def test_more_than_any_model_reads_is_refused_before_it_is_kept(home: Path, tmp_path: Path) -> None:
    huge = tmp_path / "disk.img"
    with huge.open("wb") as file:
        file.truncate(10**12)
    with huge.open("rb") as piped:
        done = subprocess.run(
            command("ask", "What is this?"), stdin=piped, capture_output=True, text=True, env=environment(home),
            timeout=60, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert "no model reads that much" in one_sentence(done)
    assert not home.exists()


def test_joining() -> None:
    assert whole_question("Q", "") == "Q"
    assert whole_question(None, "text\n") == "text"
    assert whole_question("-", "text\n") == "text"
    assert whole_question("Q", "  indented\n") == "Q\n\n  indented"
    assert whole_question(None, " \n") == ""


def test_marks_of_an_encoding_are_no_text() -> None:
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        assert text_of("Grüße\n".encode(encoding)) == "Grüße\n"
    assert text_of(b"\xff") == "\ufffd"


def test_system_and_model_options(home: Path, starter_model: Path) -> None:
    json_of(home, "ask", "Hi", "--system", "You are a pirate.", "--model", str(starter_model), *SHORT)
    json_of(home, "ask", "Hi", "--model", "smollm2", "--temperature", "0", "--top-k", "1", "--min-p", "0", *SHORT)
    pirate = json_of(home, "chats", "list")[1]
    assert pirate["system_prompt"] == "You are a pirate."
    facts = json_of(home, "chats", "show", pirate["id"])["messages"][1]["facts"]
    assert facts["system_prompt"] == "You are a pirate."
    assert facts["n_ctx"] == 1024
    assert facts["sampling"]["max_tokens"] == 12
    store = open_store(Places(home, home / "logs"))
    kept = [conversation.sampling for conversation in store.conversations.list(limit=2)]
    store.close()
    assert kept == [Sampling(temperature=0.0, top_k=1, min_p=0.0), None], "seed and limit were of the one question"


def test_a_conversation_goes_on_with_the_model_it_was_begun_with(home: Path, tmp_path: Path) -> None:
    path = tiny_models.dense(tmp_path / "elsewhere.gguf")
    begun = json_of(home, "ask", "Hi", "--model", str(path), *SHORT)
    assert json_of(home, "ask", "More", "--continue", "last", *SHORT)["model"] == begun["model"] == "Tiny elsewhere"
    path.unlink()
    done = inglenook(home, "ask", "More", "--continue", "last", *SHORT)
    assert done.returncode == 0
    assert one_sentence(done).endswith("no longer there; SmolLM2-135M-Instruct takes its place.")


def test_the_same_seed_says_the_same(home: Path) -> None:
    answers = {json_of(home, "ask", "Tell me a story", "--temporary", *SHORT)["text"] for _ in range(2)}
    assert len(answers) == 1


def test_ctrl_c_stops_keeps_and_says_130(home: Path) -> None:
    with start(home, "ask", "Write a very long story about a mountain.", "--seed", "3", "--threads", "1") as process:
        assert process.stdout is not None
        begun = process.stdout.read(20)
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors == b""
    messages = last_messages(home)
    assert messages[1]["state"] == "stopped"
    assert messages[1]["text"] == (begun + rest).decode().removesuffix("\n")


def test_a_reader_that_goes_away_is_no_error(home: Path) -> None:
    asked = shlex.join(command("ask", "Write a very long story about a river.", "--seed", "3", "--threads", "1"))
    line = f"{asked} | head -c 12; echo rc=${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", line], capture_output=True, text=True, env=environment(home), check=False, timeout=120
    )
    assert done.stderr == ""
    assert done.stdout[12:].strip() == "rc=141"
    messages = last_messages(home)
    assert messages[1]["state"] == "stopped"
    assert messages[1]["text"].startswith(done.stdout[:12])


def test_at_a_terminal_the_load_is_shown_and_wiped(home: Path) -> None:
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        command("ask", "Hi", *SHORT), stdin=follower, stdout=subprocess.PIPE, stderr=follower, env=environment(home)
    )
    os.close(follower)
    out, _ = process.communicate(timeout=60)
    shown = b""
    try:
        while part := os.read(leader, 4096):
            shown += part
    except OSError:  # the terminal is gone with its last process
        pass
    os.close(leader)
    assert process.returncode == 0
    assert b"Loading SmolLM2" in shown
    assert shown.endswith(b"\r\x1b[K")
    assert b"\x1b" not in out


@pytest.mark.parametrize(
    "arguments",
    [
        ("ask",),
        ("ask", "x", "--top-p", "3"),
        ("ask", "x", "--nonsense"),
        ("ask", "two", "words"),
        ("models", "import", ""),
        ("nonsense",),
        ("ask", "x", "--seed", "-1"),
        ("ask", "x", "--temperature", "nan"),
        ("ask", "x", "--max-tokens", "99999999999999999999"),
    ],
)
def test_wrong_usage_is_two(home: Path, arguments: tuple[str, ...]) -> None:
    done = inglenook(home, *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "inglenook" in one_sentence(done)


def test_what_is_not_there_is_said(home: Path) -> None:
    for arguments, word in (
        (("ask", "x", "--model", "nope"), "nope"),
        (("ask", "x", "--model", ""), "model called ''"),
        (("ask", "x", "--model", "/nowhere/x.gguf"), "/nowhere/x.gguf"),
        (("ask", "x", "--continue", "last"), "conversation"),
        (("ask", "x", "--continue", "0123"), "0123"),
        (("chats", "show", "0123"), "0123"),
    ):
        done = inglenook(home, *arguments)
        assert done.returncode == 1
        assert done.stdout == ""
        assert word in one_sentence(done)
    assert json_of(home, "chats", "list") == []


def test_an_adapter_is_laid_over_the_model(home: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    pair = random.normal(0, 1, (2, 576)).astype(np.float32), random.normal(0, 1, (576, 2)).astype(np.float32)
    path = tiny_adapters.write(tmp_path / "odd.gguf", {f"blk.{layer}.attn_q.weight": pair for layer in range(30)})
    question = ("Why is the sky blue?", "--temporary", *SHORT)
    wishes = (), ("--lora", f"{path}:0"), ("--lora", str(path))
    plain, none, odd = (json_of(home, "ask", *question, *wish) for wish in wishes)
    assert plain["adapters"] == []
    assert none["text"] == plain["text"] != odd["text"]
    assert odd["adapters"] == [{"path": str(path), "scale": 1.0}]
    wrong = inglenook(home, "ask", *question, "--lora", str(tmp_path / "gone.gguf"))
    assert wrong.returncode == 1
    assert one_sentence(wrong).startswith("The adapter gone.gguf is no longer there.")
