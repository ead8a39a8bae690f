"""The verbs that only look, and the doors."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from app.__main__ import _window_asked, main
from app.base.version import VERSION
from app.cli.ask import _Asking
from app.cli.front import Application, harmless
from app.cli.main import inglenook as verbs
from app.cli.main import run
from app.services.changes import Publisher
from app.services.sending import Choices, Sent
from tests.support.command import ROOT, command, environment, inglenook, json_of, one_sentence


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.mark.usefixtures("starter_model")
def test_doctor(home: Path) -> None:
    report = json_of(home, "doctor")
    wanted = {
        "version", "python", "llama_cpp", "llama_cpp_build", "devices", "data_dir", "models", "database", "problems",
    }  # fmt: skip
    assert wanted <= report.keys()
    assert report["version"] == VERSION
    assert report["llama_cpp"]
    assert report["llama_cpp_build"]
    (processor,) = [device for device in report["devices"] if device["kind"] == "cpu"]
    assert processor["memory_free_bytes"] == report["machine"]["memory_free_bytes"] < processor["memory_total_bytes"]
    assert report["data_dir"] == str(home)
    assert report["database"]["ok"] is True
    assert report["database"]["schema"]
    assert report["problems"] == []
    assert [model["is_starter"] for model in report["models"]] == [True]
    plain = inglenook(home, "doctor")
    assert plain.returncode == 0
    assert "Everything is in order." in plain.stdout


def test_settings_that_are_set_aside_are_told_by_whoever_finds_them(home: Path) -> None:
    home.mkdir()
    (home / "settings.json").write_text("{")
    done = inglenook(home, "chats", "list")
    assert done.returncode == 0
    assert "set aside" in one_sentence(done)
    assert inglenook(home, "chats", "list").stderr == ""


def test_doctor_says_what_is_wrong(home: Path) -> None:
    home.mkdir()
    (home / "inglenook.db").write_bytes(b"not a database" * 1000)
    (home / "settings.json").write_text("{")
    (home / "models").mkdir()
    (home / "models" / "cut.gguf").write_bytes(b"GGUF\x03\x00\x00\x00")
    done = inglenook(home, "doctor", "--json")
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert report["database"] == {"ok": False, "schema": None}
    assert len(report["problems"]) == 3
    assert all(problem.endswith(".") for problem in report["problems"])
    assert (home / "inglenook.db").read_bytes() == b"not a database" * 1000


@pytest.mark.usefixtures("starter_model")
def test_models(home: Path, starter_model: Path) -> None:
    (home / "models").mkdir(parents=True)
    (home / "models" / "My model.gguf").symlink_to(starter_model)
    (home / "models" / "Big-00001-of-00002.gguf").write_bytes(b"GGUF")
    (home / "models" / "Big-00002-of-00002.gguf").write_bytes(b"GGUF")
    listed = json_of(home, "models", "list")
    assert [Path(model["path"]).name for model in listed] == [
        "Big-00001-of-00002.gguf",
        "SmolLM2-135M-Instruct.Q4_1.gguf",
    ]
    assert listed[0]["problem"]
    assert [model["is_starter"] for model in listed] == [False, True]
    assert [Path(place["path"]).name for place in listed[1]["also_at"]] == ["My model.gguf"]
    assert listed[1]["license"].lower() == "apache-2.0"
    assert listed[1]["quantization"] == "Q4_1"
    again = json_of(home, "models", "list")
    assert [model["id"] for model in again] == [model["id"] for model in listed]
    assert "comes with Inglenook" in inglenook(home, "models", "list").stdout


@pytest.mark.usefixtures("starter_model")
@pytest.mark.parametrize(
    "arguments",
    [("doctor",), ("models", "list"), ("chats", "list"), ("ask", "--plan", "--ctx", "512"), ("remove-data", "--list")],
)
def test_every_verb_in_an_interpreter_of_its_own(home: Path, arguments: tuple[str, ...]) -> None:
    line = command(*arguments)
    done = subprocess.run(line, capture_output=True, text=True, cwd=ROOT, env=environment(home), timeout=60, check=True)
    assert done.stderr == ""
    assert done.stdout
    forked = inglenook(home, *arguments)
    assert (forked.returncode, forked.stderr) == (0, "")
    assert len(forked.stdout.splitlines()) == len(done.stdout.splitlines())


def test_version_and_help(home: Path) -> None:
    assert inglenook(home, "--version").stdout == f"Inglenook {VERSION}\n"
    for arguments in (("--help",), ("ask", "--help"), ("chats", "--help")):
        done = inglenook(home, *arguments)
        assert done.returncode == 0
        assert "Usage: inglenook" in done.stdout
    assert not home.exists()


def test_a_group_without_a_verb_shows_its_help(home: Path) -> None:
    for group in ("chats", "models"):
        done = inglenook(home, group)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"Usage: inglenook {group} ")
        assert "\n  list " in done.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed_lead_nowhere(home: Path, closed: str) -> None:
    asked = shlex.join(command("chats", "list"))
    done = subprocess.run(
        ["bash", "-c", f"{asked} {closed}"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment(home),
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert ("no conversation" in done.stdout) == (">&-" not in closed.split())


def test_a_reader_that_is_gone_at_once(home: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as nobody:
        done = subprocess.run(
            command("chats", "list", "--json"), stdout=nobody, stderr=subprocess.PIPE, cwd=ROOT, env=environment(home),
            check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (141, b"")


def test_ended_while_it_is_still_being_imported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupted(*_: object) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr("builtins.__import__", interrupted)
    assert main(["--data-dir", str(tmp_path), "chats", "list"]) == 130


def test_data_dir_comes_before_the_environment(home: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    assert inglenook(home, "--data-dir", str(other), "chats", "list").returncode == 0
    assert (other / "inglenook.db").is_file()
    assert not home.exists()


def test_without_a_display_the_headless_command_is_shown(home: Path) -> None:
    done = inglenook(home)
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    shown = re.search(r'like this: (.+) ask "', done.stderr)
    assert shown is not None
    program = [*shlex.split(shown[1]), "--version"]
    typed = subprocess.run(program, capture_output=True, cwd=ROOT, timeout=60, check=False)
    assert typed.returncode == 0, "what is shown can be typed here"
    assert not home.exists()


@pytest.mark.parametrize(
    ("arguments", "window"),
    [
        ([], (None, False, "")),
        (["--data-dir", "/x"], ("/x", False, "")),
        (["--data-dir=/x", "--offline"], ("/x", True, "")),
        (["--offline"], (None, True, "")),
        (["model.GGUF"], (None, False, "model.GGUF")),
        (["--offline", "/models/no ending", "--data-dir=/x"], ("/x", True, "/models/no ending")),
        (["--data-dir"], None),
        (["--offline", "ask", "x"], None),
        (["--version"], None),
        (["ask", "model.gguf"], None),
        (["one.gguf", "two.gguf"], None),
        (["modles"], None),
    ],
)
def test_doors(arguments: list[str], window: tuple[str | None, bool, str] | None) -> None:
    assert _window_asked(arguments) == window


def test_no_command_is_taken_for_a_file() -> None:
    assert not [name for name in verbs.commands if _window_asked([name]) is not None]


def test_offline_is_handed_on(tmp_path: Path) -> None:
    given: list[dict[str, bool]] = []

    def build(places: object, **options: bool) -> Any:
        given.append(options)
        raise KeyboardInterrupt

    for words in (["--offline"], []):
        assert run(["--data-dir", str(tmp_path), *words, "doctor"], build) == 130
    assert given == [{"offline": True}, {}]


def test_the_worker_s_door_is_chosen_before_anything_heavy_is_imported() -> None:
    heavy = "('PySide6', 'sqlalchemy', 'click', 'app.bootstrap')"
    code = f"import sys, app.__main__; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout == "[]\n"


def test_building_the_application_imports_no_store() -> None:
    code = "import sys, app.bootstrap; print([m for m in ('sqlalchemy', 'alembic', 'PySide6') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout == "[]\n"


def test_a_data_folder_that_cannot_be_used(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("a file where the folder should be")
    done = inglenook(blocked / "home", "chats", "list")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_main_returns_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert VERSION in capsys.readouterr().out


def test_a_reply_that_does_not_stop_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever is told to end does, also with an engine that does not listen."""

    class Deaf:
        """What `ask` needs of an application whose replies never end."""

        def send(self, *_: object, **__: object) -> Sent:
            os.kill(os.getpid(), signal.SIGTERM)
            return Sent(conversation_id="c", message_id="m", reply_id="r")

        def stop(self, reply_id: str) -> None:
            assert reply_id == "r"

    monkeypatch.setattr("app.cli.ask.PATIENCE_S", 0.01)
    plans = SimpleNamespace(stepped_down=lambda _: "")
    deaf = SimpleNamespace(publisher=Publisher(), sending=Deaf(), plans=plans)
    asking = _Asking(cast(Application, deaf), as_json=False, model_id="")
    assert asking.run(None, "Hello", temporary=True, choices=Choices()) == 143


def test_what_a_model_writes_cannot_command_the_terminal() -> None:
    assert harmless("a\x1b]52;c;cm0=\x07b\r\n\tc\x9b2Jd é") == "a]52;c;cm0=b\n\tc2Jd é"
