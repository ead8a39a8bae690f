"""What the transcript costs: opening, memory, scrolling, and following a fast reply. Each function returns numbers.

Run it offscreen or on a display: `python -m benchmarks.transcript`. Every figure comes from a fresh process, because
memory and warm caches of one would flatter the next. The conversation is synthetic and always the same.
"""

from __future__ import annotations

import gc
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.chat.messages import Message, PathEntry
    from app.ui.components.transcript.transcript import Transcript

MESSAGES = 10_000
REPLY_CHARS = 200_000
TOKENS_PER_S = 500
CHARS_PER_TOKEN = 4

_WORDS = [
    "the",
    "of",
    "and",
    "a",
    "to",
    "in",
    "is",
    "that",
    "for",
    "it",
    "as",
    "was",
    "with",
    "be",
    "by",
    "on",
    "not",
    "he",
    "his",
    "but",
    "at",
    "are",
    "this",
    "have",
    "from",
    "or",
    "had",
    "an",
    "which",
    "one",
    "would",
    "all",
    "there",
    "been",
    "who",
    "their",
    "boiler",
    "heat",
    "pump",
    "price",
    "office",
    "winter",
    "model",
    "token",
    "context",
    "window",
    "answer",
    "measure",
    "temperature",
    "reading",
    "letter",
    "question",
    "street",
    "morning",
    "garden",
    "language",
    "computer",
    "memory",
]
_CODE = [
    "def total(rows, key='price'):",
    "    return sum(row[key] * 1.19 for row in rows if row)",
    "for index, name in enumerate(names):  # count from zero",
    '    print(f"{index:>4} {name}")',
    "result = {'a': 1, 'b': [2, 3.5], 'c': None}",
    "if result and len(result) > 2:",
    "    raise ValueError('too many')",
]


def _sentence(draw: random.Random) -> str:
    words = [draw.choice(_WORDS) for _ in range(draw.randint(6, 18))]
    if draw.random() < 0.3:
        at = draw.randrange(len(words))
        words[at] = draw.choice(("**{}**", "*{}*", "`{}`")).format(words[at])
    return " ".join(words).capitalize() + draw.choice((". ", ". ", "? ", ": "))


def _block(draw: random.Random) -> str:
    kind = draw.random()
    if kind < 0.55:
        return "".join(_sentence(draw) for _ in range(draw.randint(2, 6))).strip()
    if kind < 0.70:
        return "\n".join(f"- {_sentence(draw).strip()}" for _ in range(draw.randint(3, 7)))
    if kind < 0.78:
        return "\n".join(f"{i + 1}. {_sentence(draw).strip()}" for i in range(draw.randint(3, 6)))
    if kind < 0.86:
        return f"## {_sentence(draw).strip(' .:?')[:60]}"
    if kind < 0.93:
        lines = "\n".join(draw.choice(_CODE) for _ in range(draw.randint(4, 24)))
        return f"```python\n{lines}\n```"
    rows = "\n".join(
        f"| {draw.choice(_WORDS)} | {draw.randint(1, 9999):,} | {_sentence(draw).strip()[:30]} |" for _ in range(5)
    )
    return f"| Name | Count | What |\n|---|---:|---|\n{rows}"


def markdown(seed: int, characters: int) -> str:
    """About so many characters of prose, lists, code and tables; the same for the same seed."""
    draw = random.Random(seed)
    blocks: list[str] = []
    size = 0
    while size < characters:
        blocks.append(_block(draw))
        size += len(blocks[-1]) + 2
    return "\n\n".join(blocks)


def write_conversation(path: Path, messages: int = MESSAGES) -> int:
    """Writes the conversation into a SQLite file; returns its characters (27 million for 10,000 messages)."""
    total = 0
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE message (id TEXT PRIMARY KEY, role TEXT, length INT, newlines INT, text TEXT)")
        for number in range(messages):
            question = number % 2 == 0
            text = _sentence(random.Random(number)) * 2 if question else markdown(number, 4700)
            total += len(text)
            role = "user" if question else "assistant"
            row = (f"m{number:06}", role, len(text), text.count("\n"), text)
            database.execute("INSERT INTO message VALUES (?, ?, ?, ?, ?)", row)
    return total


class SqliteConversations:
    """The interface of the transcript over that file."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path)

    def path(self, conversation_id: str) -> list[PathEntry]:
        from app.chat.messages import PathEntry, ReplyState, Role

        roles = {"user": Role.USER, "assistant": Role.ASSISTANT}
        rows = self._database.execute("SELECT id, role, length, newlines FROM message ORDER BY id")
        return [
            PathEntry(
                id=i, role=roles[role], state=ReplyState.DONE, length=length, newlines=newlines, sibling=0, siblings=1
            )
            for i, role, length, newlines in rows
        ]

    def message(self, message_id: str) -> Message:
        from app.chat.messages import Message, Role

        role, text = self._database.execute("SELECT role, text FROM message WHERE id = ?", (message_id,)).fetchone()
        return Message(id=message_id, conversation_id="c", parent_id=None, role=Role(role), text=text)

    def body(self, message_id: str) -> tuple[str, str]:
        return self._database.execute("SELECT text FROM message WHERE id = ?", (message_id,)).fetchone()[0], ""

    def siblings(self, message_id: str) -> list[str]:
        return [message_id]


def resident_mb() -> float:
    """The resident memory of this process, as Linux counts it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def _percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def _window(conversations: object) -> Transcript:
    """A shown, empty transcript as the window has it: everything imported, fonts and Markdown used once."""
    from PySide6.QtWidgets import QApplication

    from app.ui.components.transcript.transcript import Transcript
    from app.ui.theme import style
    from app.ui.theme.theme import Theme

    application = QApplication.instance() or QApplication([])
    assert isinstance(application, QApplication)
    theme = Theme("paper", less_motion=False)
    style.install(application, theme)
    transcript = Transcript(conversations, theme)  # type: ignore[arg-type]
    transcript.resize(1176, 760)
    transcript.show()
    transcript.warm_up()
    application.processEvents()
    return transcript


def measure_open(conversations: object) -> dict[str, float]:
    """`open_ms`: from the call to the end of the first paint. `memory_mb`: what that and the idle work then added."""
    from PySide6.QtWidgets import QApplication

    transcript = _window(conversations)
    gc.collect()
    gc.freeze()
    before = resident_mb()
    start = time.perf_counter()
    transcript.open("c")
    transcript.viewport().repaint()
    opened = time.perf_counter() - start
    layouts = transcript.column.laid_out
    deadline = time.monotonic() + 10
    while transcript.idle.busy and time.monotonic() < deadline:
        QApplication.processEvents()
    return {
        "open_ms": opened * 1000,
        "memory_mb": resident_mb() - before,
        "layouts_at_open": float(layouts),
        "layouts_after_idle": float(transcript.column.laid_out),
    }


def measure_scroll(conversations: object, frames: int = 900) -> dict[str, float]:
    """`scroll_p99_ms`: a frame of 120 px with painting and the idle slices that fell into it, up from the end."""
    from PySide6.QtWidgets import QApplication

    transcript = _window(conversations)
    gc.collect()
    gc.freeze()
    transcript.open("c")
    QApplication.processEvents()
    times: list[float] = []
    for _ in range(frames):
        start = time.perf_counter()
        transcript.scroll_by(-120)
        transcript.viewport().repaint()
        times.append((time.perf_counter() - start) * 1000)
        frame_end = start + 1 / 60
        while time.perf_counter() < frame_end:
            begin = time.perf_counter()
            QApplication.processEvents()
            if begin >= frame_end - 0.001:
                break
            time.sleep(0.0005)
    return {
        "scroll_median_ms": _percentile(times, 0.5),
        "scroll_p99_ms": _percentile(times, 0.99),
        "scroll_max_ms": max(times),
    }


def measure_stream(characters: int = REPLY_CHARS, before: int = REPLY_CHARS * 4 // 5) -> dict[str, float]:
    """500 tokens a second until a reply has its length: the main thread's share of a core, and its longest pause.

    `before` characters are there at once, so that the costly end is measured and not two minutes are spent.
    """
    from PySide6.QtCore import QEventLoop, QObject, Qt, QTimer, Signal
    from PySide6.QtWidgets import QApplication

    from app.chat.messages import Message, PathEntry, ReplyState, Role
    from app.services.changes import ReplyGrew

    class One:
        def path(self, conversation_id: str) -> list[PathEntry]:
            return [
                PathEntry(id="q", role=Role.USER, state=ReplyState.DONE, length=2, newlines=0, sibling=0, siblings=1),
                PathEntry(
                    id="r", role=Role.ASSISTANT, state=ReplyState.WRITING, length=0, newlines=0, sibling=0, siblings=1
                ),
            ]

        def message(self, message_id: str) -> Message:
            reply = message_id == "r"
            return Message(
                id=message_id, conversation_id="c", parent_id=None, role=Role.ASSISTANT if reply else Role.USER,
                text="" if reply else "Go", state=ReplyState.WRITING if reply else ReplyState.DONE,
            )  # fmt: skip

        def body(self, message_id: str) -> tuple[str, str]:
            return "", ""

        def siblings(self, message_id: str) -> list[str]:
            return [message_id]

    class Bridge(QObject):
        grew = Signal(object)

    transcript = _window(One())
    transcript.open("c")
    text = markdown(7, characters)[:characters]
    bridge = Bridge()
    bridge.grew.connect(transcript.apply, Qt.ConnectionType.QueuedConnection)
    transcript.apply(ReplyGrew(conversation_id="c", message_id="r", offset=0, text=text[:before]))
    settled = time.monotonic() + 1
    while time.monotonic() < settled:
        QApplication.processEvents()
    loop = QEventLoop()
    gaps: list[float] = []
    last = time.perf_counter()

    def tick() -> None:
        nonlocal last
        now = time.perf_counter()
        gaps.append(now - last)
        last = now

    beat = QTimer()
    beat.setTimerType(Qt.TimerType.PreciseTimer)
    beat.timeout.connect(tick)

    def produce() -> None:
        """Joined to 40 changes a second, as the bridge hands growth over."""
        step = TOKENS_PER_S * CHARS_PER_TOKEN // 40
        start = time.perf_counter()
        for number, offset in enumerate(range(before, len(text), step)):
            bridge.grew.emit(
                ReplyGrew(conversation_id="c", message_id="r", offset=offset, text=text[offset : offset + step])
            )
            wait = start + (number + 1) / 40 - time.perf_counter()
            if wait > 0:
                time.sleep(wait)

    gc.collect()
    gc.freeze()
    producer = threading.Thread(target=produce, name="producer")
    beat.start(1)
    busy, begun = time.thread_time(), time.perf_counter()
    last = begun
    producer.start()
    watch = QTimer()
    watch.timeout.connect(lambda: None if producer.is_alive() else loop.quit())
    watch.start(50)
    loop.exec()
    producer.join()
    wall = time.perf_counter() - begun
    # the beat itself costs: its share is measured alone and taken off
    alone = time.thread_time()
    QTimer.singleShot(1000, loop.quit)
    cost = time.thread_time() - busy
    loop.exec()
    idle_share = time.thread_time() - alone
    return {
        "stream_cpu_share": max(0.0, cost / wall - idle_share),
        "stream_cpu_share_raw": cost / wall,
        "stream_longest_gap_ms": max(gaps) * 1000,
        "stream_gap_p99_ms": _percentile(gaps, 0.99) * 1000,
        "stream_characters": float(len(text)),
        "stream_seconds": wall,
    }


def _in_fresh_process(name: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.transcript", name]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ.copy())
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _with_conversation(measure: Callable[[object], dict[str, float]]) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "conversation.db"
        subprocess.run([sys.executable, "-m", "benchmarks.transcript", "write", str(file)], check=True)
        return measure(SqliteConversations(file))


def run() -> Iterator[dict[str, float]]:
    """All measurements, each in its own process."""
    for name in ("open", "scroll", "stream"):
        yield _in_fresh_process(name)


def main() -> int:
    """One measurement by name, or all."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name == "write":
        write_conversation(Path(sys.argv[2]))
    elif name == "open":
        print(json.dumps(_with_conversation(measure_open)))
    elif name == "scroll":
        print(json.dumps(_with_conversation(measure_scroll)))
    elif name == "stream":
        print(json.dumps(measure_stream()))
    else:
        for numbers in run():
            for key, value in numbers.items():
                print(f"{key:24} {value:10.2f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
