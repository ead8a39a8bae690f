"""What people's machines do to a command: real processes, real signals, real files."""

from __future__ import annotations

import os
import random
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from sqlcipher3 import dbapi2

from tests.support import tiny_models
from tests.support.command import (
    ROOT,
    command,
    environment,
    inglenook,
    json_of,
    last_messages,
    log_text,
    one_sentence,
    start,
)
from tests.support.processes import gone, until

pytestmark = pytest.mark.usefixtures("starter_model")

LONG = ("ask", "Write a very long story about the sea and a lighthouse.", "--seed", "5", "--threads", "1")
SHORT = ("--max-tokens", "8", "--seed", "1", "--ctx", "1024", "--threads", "1")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def read_for(process: subprocess.Popen[bytes], seconds: float) -> list[tuple[float, bytes]]:
    """What a process prints, with times, until it has printed for so long."""
    assert process.stdout is not None
    pieces: list[tuple[float, bytes]] = []
    while not pieces or pieces[-1][0] - pieces[0][0] < seconds:
        part = os.read(process.stdout.fileno(), 65_536)
        assert part, "it ended too soon"
        pieces.append((time.monotonic(), part))
    return pieces


def test_killed_while_streaming_loses_two_seconds_at_most(home: Path) -> None:
    with start(home, *LONG) as process:
        pieces = read_for(process, 4.0)
        children = [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
        assert children
        os.kill(process.pid, signal.SIGKILL)
        killed_at = time.monotonic()
        process.wait()
    until(lambda: all(gone(pid) for pid in children), "the engine's end", guard_s=5.0)
    connection = dbapi2.connect(str(home / "inglenook.db"))
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    messages = last_messages(home)
    assert messages[1]["state"] == "lost"
    assert messages[1]["facts"] is None or messages[1]["facts"]["generation"] is None
    kept = messages[1]["text"].encode()
    printed = b"".join(part for _, part in pieces)
    assert printed.startswith(kept) or kept.startswith(printed)
    old = b"".join(part for at, part in pieces if at < killed_at - 2.0)
    assert len(old) > 20
    assert kept.startswith(old)
    again = json_of(home, "ask", "Go on", "--continue", "last", *SHORT)
    assert again["text"]
    assert [m["role"] for m in last_messages(home)][2:] == ["user", "assistant"]


@pytest.mark.parametrize("temporary", [False, True])
def test_the_engine_killed_under_a_command(home: Path, temporary: bool) -> None:
    with start(home, *LONG, *(["--temporary"] if temporary else [])) as process:
        begun = b"".join(part for _, part in read_for(process, 0.5))
        running = [c for c in psutil.Process(process.pid).children() if c.status() != psutil.STATUS_ZOMBIE]
        (engine,) = [child for child in running if "--engine-worker" in child.cmdline()]
        engine.kill()
        rest, said = process.communicate(timeout=60)
    errors = said.decode()
    assert process.returncode == 1
    assert len(errors.splitlines()) == 1
    assert errors.startswith("inglenook: ")
    assert "again" not in errors, "nothing starts again here"
    assert ("kept" in errors) is not temporary
    if temporary:
        return
    message = last_messages(home)[1]
    assert message["state"] == "lost"
    assert message["text"] == (begun + rest).decode().removesuffix("\n")
    assert message["facts"]["error_sentence"] in errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_ended_from_outside(home: Path, number: signal.Signals) -> None:
    with start(home, *LONG) as process:
        read_for(process, 0.1)
        children = [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (128 + number, b"")
    assert all(gone(pid) for pid in children)
    assert last_messages(home)[1]["state"] == "stopped"


def test_two_at_once_both_finish(home: Path) -> None:
    lighthouse = start(home, "ask", "What is a lighthouse?", *SHORT)
    harbour = start(home, "ask", "What is a harbour?", *SHORT)
    with lighthouse as first, harbour as second:
        for process in (first, second):
            out, errors = process.communicate(timeout=100)
            assert (process.returncode, errors) == (0, b"")
            assert out
    titles = {chat["title"] for chat in json_of(home, "chats", "list")}
    assert titles == {"What is a lighthouse?", "What is a harbour?"}


def broken_models(folder: Path, starter: Path) -> dict[str, Path]:
    """Files that are no chat model, each in its own way."""
    folder.mkdir(parents=True)
    whole = starter.read_bytes()
    made = {name: folder / f"{name}.gguf" for name in ("truncated", "text", "empty", "fuzzed", "random", "folder")}
    made["truncated"].write_bytes(whole[: len(whole) // 2])
    made["text"].write_text("This is not a model.\n" * 100)
    made["empty"].write_bytes(b"")
    made["fuzzed"].write_bytes(whole[:200] + os.urandom(4000) + whole[4200:100_000])
    made["random"].write_bytes(b"GGUF\x03\x00\x00\x00" + os.urandom(100_000))
    made["counts"] = tiny_models.dense(folder / "counts.gguf")
    dense = made["counts"].read_bytes()
    made["counts"].write_bytes(dense[:8] + random.Random(7).randbytes(64) + dense[72:])
    made["folder"].mkdir()
    made["missing"] = folder / "missing.gguf"
    made["vocabulary"] = tiny_models.vocabulary_only(folder / "vocabulary.gguf")
    made["projector"] = tiny_models.projector(folder / "projector.gguf")
    made["architecture"] = tiny_models.unknown_architecture(folder / "architecture.gguf")
    made["tensors"] = tiny_models.missing_tensors(folder / "tensors.gguf")
    return made


def test_files_that_are_no_model_get_one_sentence_each(home: Path, tmp_path: Path, starter_model: Path) -> None:
    sentences: dict[str, str] = {}
    for name, path in broken_models(tmp_path / "broken", starter_model).items():
        done = inglenook(home, "ask", "Hi", "--temporary", "--model", str(path), *SHORT)
        assert done.returncode == 1, name
        assert done.stdout == ""
        sentences[name] = one_sentence(done)
        assert len(sentences[name]) > 20
    assert "incomplete" in sentences["truncated"]
    assert "empty" in sentences["empty"]
    assert "vocabulary" in sentences["vocabulary"]
    assert "projector" in sentences["projector"]
    assert "does not know" in sentences["architecture"]
    assert "missing.gguf" in sentences["missing"]
    assert "Traceback" not in log_text(home)


def test_a_template_that_raises(home: Path, tmp_path: Path) -> None:
    model = tiny_models.dense(tmp_path / "raising.gguf", template="{{ raise_exception('No system role.') }}")
    done = inglenook(home, "ask", "Hi", "--model", str(model), *SHORT)
    assert done.returncode == 1
    assert 'refuses this conversation: "No system role."' in one_sentence(done)
    assert last_messages(home)[1]["state"] == "failed"


def test_databases_that_cannot_be_used_are_not_touched(home: Path) -> None:
    assert inglenook(home, "chats", "list").returncode == 0
    database = home / "inglenook.db"
    connection = dbapi2.connect(str(database))
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    newer = database.read_bytes()
    for content, word in ((newer, "newer"), (b"damaged" * 3000, "")):
        database.write_bytes(content)
        for arguments in (("ask", "Hi", *SHORT), ("chats", "list")):
            done = inglenook(home, *arguments)
            assert done.returncode == 1
            assert done.stdout == ""
            assert word in one_sentence(done)
        assert database.read_bytes() == content
    assert inglenook(home, "doctor").returncode == 1
    assert inglenook(home, "models", "list").returncode == 0
    answered = inglenook(home, "ask", "Hi", "--temporary", *SHORT)
    assert answered.returncode == 0
    assert database.read_bytes() == content


def test_a_database_that_another_program_holds(home: Path) -> None:
    assert inglenook(home, "chats", "list").returncode == 0
    connection = dbapi2.connect(str(home / "inglenook.db"), isolation_level=None)
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("BEGIN EXCLUSIVE")
    connection.execute("CREATE TABLE IF NOT EXISTS other (x)")
    done = inglenook(home, "ask", "Hi", *SHORT)
    connection.execute("ROLLBACK")
    connection.close()
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Another program" in one_sentence(done)


NAMESPACES = (["unshare", "--mount"], ["unshare", "--user", "--map-root-user", "--mount"])


def test_a_disk_without_room(tmp_path: Path) -> None:
    """On a small file system of its own; where the account may not mount one, a limit on the size of files does it."""
    small = tmp_path / "small"
    small.mkdir()
    asked = shlex.join(command("ask", "Hi", *SHORT))
    for namespace in NAMESPACES:
        mount = f'mount -t tmpfs -o size=100k tmpfs "{small}"'
        if subprocess.run([*namespace, "sh", "-c", mount], capture_output=True, check=False).returncode == 0:
            line = [*namespace, "sh", "-c", f"{mount} && exec {asked}"]
            break
    else:
        line = ["sh", "-c", f"ulimit -f 20; exec {asked}"]
    done = subprocess.run(
        line, capture_output=True, text=True, cwd=ROOT, env=environment(small / "home"), check=False, timeout=120
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert one_sentence(done)


def test_standard_output_on_a_full_disk(home: Path) -> None:
    if not Path("/dev/full").exists():  # Linux has this device
        return
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command("ask", "Hi", *SHORT), stdout=full, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, cwd=ROOT,
            env=environment(home), check=False, timeout=120,
        )  # fmt: skip
    assert done.returncode == 1
    assert len(done.stderr.decode().splitlines()) == 1
    assert b"Traceback" not in done.stderr
    assert last_messages(home)[1]["state"] in ("stopped", "done")


def test_another_working_folder_cannot_change_what_runs(home: Path, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    (trap / "app").mkdir(parents=True)
    (trap / "app" / "__init__.py").write_text("raise SystemExit('trapped')")
    (trap / "app" / "__main__.py").write_text("raise SystemExit('trapped')")
    line = [sys.executable, "-P", "-c", "import sys; from app.__main__ import main; sys.exit(main())"]
    done = subprocess.run(
        [*line, "ask", "Hi", *SHORT], capture_output=True, text=True, cwd=trap, env=environment(home), check=False,
        stdin=subprocess.DEVNULL, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
