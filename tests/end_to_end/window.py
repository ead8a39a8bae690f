"""The running application as a test holds it: a process, a window on the screen, a data folder."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sqlcipher3 import dbapi2

from tests.end_to_end.screen import Screen
from tests.end_to_end.watched import TIMING_VARIABLE
from tests.support.command import ROOT, environment
from tests.support.processes import descendants, engine_of, gone, until

LONG = "Write a very long story about a lighthouse keeper."
"""What the starter model, without chance, answers with more text than any test waits for."""

ORPHANS_S = 5.0


class Window:
    """`plain`: exactly `python -m app`. Otherwise it also tells what it publishes and shows (watched.py).

    `notes` is the folder where its standard error and the like are kept; `before` is a program that runs ours; `timing`
    makes the engine's supervisor less patient; `program` is another one than this checkout, such as a frozen one, which
    finds its data itself when it is `portable`.
    """

    def __init__(
        self, screen: Screen, home: Path, notes: Path, *arguments: str, plain: bool = False, before: Sequence[str] = (),
        timing: dict[str, float] | None = None, program: Sequence[str] = (), portable: bool = False,
    ) -> None:  # fmt: skip
        self.screen, self.home = screen, home
        number = len(list(notes.glob("window-*.stderr")))
        self._marks = notes / f"window-{number}.marks"
        self._changes = notes / f"window-{number}.changes"
        self.stderr_path = notes / f"window-{number}.stderr"
        self._line, theirs = socket.socketpair()
        module = ["app"] if plain else ["tests.end_to_end.watched", str(theirs.fileno()), str(self._changes)]
        ours = [*program] if program else [sys.executable, "-m", *module]
        told = [] if portable else ["--data-dir", str(home)]
        command = [*before, *ours, *told, *arguments]
        shown = {"DISPLAY": screen.display, "QT_QPA_PLATFORM": "xcb", "INGLENOOK_MARKS": str(self._marks)}
        if timing is not None:
            shown[TIMING_VARIABLE] = json.dumps(timing)
        with self.stderr_path.open("wb") as stderr:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr, cwd=ROOT,
                env=environment(home, **shown), pass_fds=[theirs.fileno()], start_new_session=True,
            )  # fmt: skip
        theirs.close()
        self.pid = self.process.pid
        self.ended = False

    # --- coming and going -------------------------------------------------------------------------------------------

    def ready(self) -> Window:
        """Waits until the conversations are there (or were refused) and the keys reach the window."""
        self.until(lambda: self._marks.exists() and "ready" in self._marks.read_text(), "the window to be ready")
        self.id: str = self.until(lambda: self.screen.windows_of(self.pid), "the window to be on the screen")[0]
        self.screen.do("windowfocus", "--sync", self.id)
        return self

    def until(self, look: Callable[[], Any], what: str) -> Any:
        """Waits for something true, as long as the process runs."""

        def alive() -> Any:
            found = look()
            if not found:
                assert self.process.poll() is None, (
                    f"the window ended ({self.process.returncode}) while waiting for {what}: {self.stderr}"
                )
            return found

        return until(alive, what)

    def quit(self) -> int:
        """Ctrl+Q; returns the exit code. Nothing may be left of it."""
        family = descendants(self.pid)
        self.keys("ctrl+q")
        return self.exit_code(family)

    def exit_code(self, family: list[int] | None = None) -> int:
        """Waits for the end, and that the family has ended too."""
        until(lambda: self.process.poll() is not None, "the window to end")
        self.ended = True
        self._line.close()
        for pid in family or []:
            until(lambda pid=pid: gone(pid), f"process {pid} to end", ORPHANS_S)  # type: ignore[misc]
        return self.process.wait()

    def kill(self) -> None:
        """SIGKILL; whatever it started must be gone within five seconds."""
        family = descendants(self.pid)
        os.kill(self.pid, signal.SIGKILL)
        self.exit_code(family)

    def end(self) -> None:
        """Whatever happened, nothing stays behind."""
        for pid in [] if self.ended else [*descendants(self.pid), self.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self._line.close()

    # --- a person's hands and eyes ------------------------------------------------------------------------------------

    def keys(self, *names: str) -> None:
        """Presses keys."""
        self.screen.do("key", "--clearmodifiers", *names)

    def write(self, text: str) -> None:
        """Types text where the cursor is."""
        self.screen.do("type", "--delay", "4", text)

    def send(self, text: str) -> None:
        """Types a message and presses Enter."""
        self.write(text)
        self.keys("Return")

    def title(self) -> str:
        """The window's title."""
        return self.screen.title(self.id)

    def click(self, words: str) -> None:
        """Waits until something is called so, or begins so, and clicks on it."""

        def there() -> list[int] | None:
            shown = self.shown()
            return shown.get(words) or next((place for name, place in shown.items() if name.startswith(words)), None)

        x, y = self.until(there, f"something called '{words}'")
        self.screen.do("mousemove", str(x), str(y), "click", "1")

    def words(self) -> str:
        """Everything that is written on the window, as a screen reader gets it."""
        return "\n".join(self.shown())

    def shown(self) -> dict[str, list[int]]:
        """The same, with the place of each on the screen."""
        self._line.sendall(b"?")
        answer = b""
        while not answer.endswith(b"\n"):
            piece = self._line.recv(1 << 20)
            assert piece, f"the window ended: {self.stderr}"
            answer += piece
        return dict(json.loads(answer))

    def shows(self, text: str) -> None:
        """Waits until this is written somewhere on the window."""
        self.until(lambda: text in self.words(), f"the words '{text}' on the window")

    # --- what happened inside -----------------------------------------------------------------------------------------

    def changes(self, kind: str, **fields: object) -> list[dict[str, Any]]:
        """What it published, of one kind and with these values."""
        if not self._changes.exists():
            return []
        lines = self._changes.read_bytes().splitlines(keepends=True)
        told = [json.loads(line) for line in lines if line.endswith(b"\n")]
        wanted = {"change": kind, **fields}
        return [one for one in told if all(one.get(name) == value for name, value in wanted.items())]

    def told(self, kind: str, count: int = 1, **fields: object) -> dict[str, Any]:
        """Waits for the count-th such change."""
        what = f"{kind} {fields} number {count}"
        found = self.until(lambda: self.changes(kind, **fields)[count - 1 :], what)
        return dict(found[0])

    def writing(self, characters: int = 1) -> str:
        """Waits until so many characters of the newest reply were told; returns the reply's id."""

        def grown() -> str:
            last = (self.changes("ReplyGrew") or [{"offset": 0, "text": "", "message_id": ""}])[-1]
            return last["message_id"] if last["offset"] + len(last["text"]) >= characters else ""

        return str(self.until(grown, f"{characters} characters of a reply"))

    def engine(self) -> int:
        """The engine's process id; waits for one."""
        return int(self.until(lambda: engine_of(self.pid), "an engine process"))

    @property
    def stderr(self) -> str:
        """What it wrote to standard error."""
        return self.stderr_path.read_text()


def rows(home: Path, sql: str, *values: object) -> list[tuple[Any, ...]]:
    """Reads the database as it is now, without touching it."""
    if not (home / "inglenook.db").exists():
        return []
    connection = dbapi2.connect(f"file:{home / 'inglenook.db'}?mode=ro", uri=True, timeout=10)
    try:
        return list(connection.execute(sql, values))
    finally:
        connection.close()


def replies(home: Path) -> list[tuple[str, str]]:
    """State and text of every reply, oldest first; a live one has no text yet."""
    if not rows(home, "SELECT 1 FROM sqlite_schema WHERE name = 'reply_facts'"):
        return []
    return rows(
        home,
        "SELECT state, coalesce(text, '') FROM messages LEFT JOIN bodies ON message_row = messages.row"
        " WHERE role = 'assistant' ORDER BY messages.row",
    )


def ended(home: Path, count: int, state: str) -> str:
    """Waits until there are so many replies and the last one is in this state; returns its text."""

    def there() -> bool:
        found = replies(home)
        return len(found) == count and found[-1][0] == state

    until(there, f"reply {count} to be {state}: {replies(home)}")
    return replies(home)[-1][1]
