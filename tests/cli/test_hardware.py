"""Load plans and other computers on the command line, with the real engine and the starter model."""

from __future__ import annotations

import functools
import json
import signal
from pathlib import Path
from typing import Any

import pytest

from app.bootstrap import build
from app.cli.main import run
from app.engine.command import fake_command
from tests.support.application import reply
from tests.support.command import inglenook, json_of, one_sentence, start
from tests.support.rpc import rpc_worker

pytestmark = pytest.mark.usefixtures("starter_model")

SHORT = ("--max-tokens", "2", "--seed", "1", "--ctx", "512", "--threads", "1", "--temporary")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def test_a_plan_is_shown_and_nothing_is_loaded(home: Path) -> None:
    plain = inglenook(home, "ask", "--plan", "--ctx", "2048", "--kv", "q8_0")
    assert plain.returncode == 0, plain.stderr
    assert "2,048 tokens" in plain.stdout
    assert "q8_0/q8_0" in plain.stdout
    (bar,) = [line for line in plain.stdout.splitlines() if line.startswith("CPU")]
    assert bar.index("#") < bar.index("=") < bar.index("-") < bar.index(".")


def test_an_answer_tells_where_the_model_lay(home: Path) -> None:
    with rpc_worker() as worker:
        rpc = ("--rpc", worker.endpoint)
        answer = json_of(home, "ask", "Hi", *SHORT, *rpc, "--gpu-layers", "2")
        assert [(one["name"], one["kind"], one["layers"]) for one in answer["devices"]] == [
            ("CPU", "cpu", 29),
            ("RPC0", "gpu", 2),
        ]
        assert all(one["bytes"] > 2**20 for one in answer["devices"])
        same = json_of(home, "ask", "--plan", *SHORT, *rpc, "--gpu-layers", "2")
        assert same["exact"]
        for mine, taken in zip(same["devices"], answer["devices"], strict=True):
            assert (mine["name"], mine["layers"]) == (taken["name"], taken["layers"])
            assert abs(mine["bytes"] - taken["bytes"]) < 2**16
        plan = json_of(home, "ask", "--plan", "--threads", "2", *rpc)
        assert (plan["n_ctx"], plan["n_threads"], plan["n_gpu_layers"], plan["type_k"]) == (8192, 2, 31, "f16")
        assert [one["layers"] for one in plan["devices"]] == [0, 31]
        for one in plan["devices"]:
            assert one["bytes"] == sum(one[f"{kind}_bytes"] for kind in ("weights", "kv", "compute")) > 2**20
        assert plan["why"].endswith(".")
        report = json_of(home, "doctor", *rpc)
        assert [device["backend"] for device in report["devices"]] == ["CPU", "RPC"]
        assert report["machine"]["memory_total_bytes"] > 2**30
        assert report["machine"]["cores"] >= 1
    done = inglenook(home, "ask", "Hi", *SHORT, *rpc, "--json")  # it is gone
    assert done.returncode == 0
    assert [one["layers"] for one in json.loads(done.stdout)["devices"]] == [31]
    assert worker.endpoint in one_sentence(done)


def test_what_would_swap_is_refused_with_the_numbers(home: Path) -> None:
    home.mkdir()
    (home / "settings.json").write_text(json.dumps({"cache": {"cells": 100_000_000}}))
    done = inglenook(home, "ask", "Hi", *SHORT)
    assert done.returncode == 1
    sentence = one_sentence(done)
    assert "1.2 TB of memory" in sentence
    assert "--insist" in sentence


def test_a_step_down_is_said_once_and_the_full_plan_can_be_tried_again(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a scripted engine, which dies of memory in its first load."""

    def asked(*more: str, script: dict[str, Any] | None = None) -> list[str]:
        script = {"replies": [reply("Well.")], **(script or {})}
        engine = functools.partial(build, engine_command=fake_command(json.dumps(script)))
        assert run(["--data-dir", str(home), "ask", "Hi", *more], engine) == 0
        return capsys.readouterr().err.splitlines()

    die = {"at": "load", "how": "abort", "stderr": "failed to allocate a buffer", "once": str(tmp_path / "died")}
    first, hint = asked(script={"die": die})
    assert "instead of 512" in first
    assert "--full-plan" in hint
    assert asked() == []
    assert "--full-plan" in inglenook(home, "ask", "--plan").stdout
    assert asked("--full-plan") == []
    assert "--full-plan" not in inglenook(home, "ask", "--plan").stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("ask", "Hi", "--gpu-layers", "many"), "auto"),
        (("ask", "Hi", "--kv", "f8"), "q8_0"),
        (("ask", "Hi", "--rpc", "here"), "192.168.1.20:50052"),
        (("ask", "Hi", "--ctx", "99999999999"), "10000000"),
        (("worker", "--listen", "here"), "127.0.0.1:50052"),
        (("worker", "--listen", "0.0.0.0:50052"), "--i-know-it-is-open"),
        (("worker", "--listen", "192.168.1.20:50052"), "no password and no encryption"),
    ],
)
def test_what_is_not_done(home: Path, words: tuple[str, ...], said: str) -> None:
    done = inglenook(home, *words)
    assert done.returncode == 2
    assert said in one_sentence(done)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_worker_listens_until_it_is_told_to_end(home: Path, number: signal.Signals) -> None:
    with start(home, "worker", "--listen", "127.0.0.1:0") as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert b"listening on 127.0.0.1:" in (line if isinstance(line, bytes) else line.encode())
        process.send_signal(number)
        assert process.wait(30) == 0


def test_a_worker_that_cannot_listen_says_so(home: Path) -> None:
    with rpc_worker() as other:
        done = inglenook(home, "worker", "--listen", other.endpoint)
    assert done.returncode == 1
    assert "cannot listen" in done.stderr
