"""The command line as people run it: a process of its own, on a data folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from app.base.paths import Places
from app.store.store import open_store
from tests.support.forks import forks

ROOT = Path(__file__).resolve().parents[2]
GUARD_S = 120.0


def command(*arguments: str) -> list[str]:
    """The words that run `inglenook` from this checkout."""
    return [sys.executable, "-m", "app", *arguments]


def environment(home: Path, **more: str) -> dict[str, str]:
    """This environment with all state in `home`, and no display."""
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    return {**kept, "INGLENOOK_HOME": str(home), "PYTHONPATH": str(ROOT), **more}


def inglenook(
    home: Path, *arguments: str, piped: str | bytes | None = None, cwd: Path | None = None, **more: str
) -> subprocess.CompletedProcess[str]:
    """Runs one command to its end. Without `piped` its standard input is empty."""
    around = environment(home, **more)
    if piped is None:
        return subprocess.CompletedProcess(command(*arguments), *forks().run(arguments, around, cwd or ROOT))
    given = piped.encode() if isinstance(piped, str) else piped
    done = subprocess.run(
        command(*arguments), input=given, capture_output=True, cwd=cwd or ROOT, env=around, timeout=GUARD_S, check=False
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def json_of(home: Path, *arguments: str, piped: str | None = None) -> Any:
    """The JSON value a successful command prints."""
    done = inglenook(home, *arguments, "--json", piped=piped)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def last_messages(home: Path) -> list[dict[str, Any]]:
    """The messages of the conversation updated last, as `chats show --json` has them, without a process for it."""
    store = open_store(Places(home, home / "logs"))
    try:
        (conversation,) = store.conversations.list(limit=1)
        ids = [entry.id for entry in store.messages.path(conversation.id)]
        return [msgspec.to_builtins(message) for message in store.messages.get_many(ids)]
    finally:
        store.close()


@contextmanager
def start(home: Path, *arguments: str, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    """Starts a command and leaves it running; at the end of the block it is killed if it still runs."""
    with subprocess.Popen(
        command(*arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env=environment(home, **more),
        start_new_session=True,
        bufsize=0,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def one_sentence(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of an error, without the program's name."""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    name, _, sentence = lines[0].partition(": ")
    assert name == "inglenook"
    assert "Traceback" not in sentence
    assert sentence.endswith("."), sentence
    return sentence


def log_text(home: Path) -> str:
    """Everything in the logs."""
    return "\n".join(path.read_text() for path in (home / "logs").glob("*"))
