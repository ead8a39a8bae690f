"""A conversation of 10,000 messages in the real store: opening it, scrolling in it; and a fast reply being followed.

Every figure comes from fresh processes, because memory and warm caches of one would flatter the next:
`python -m benchmarks.conversation open|scroll|stream` measures once and prints JSON. What is done to the transcript is
in transcript.py.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from typing import TYPE_CHECKING

from benchmarks.figures import Figure, median_interval
from benchmarks.processes import ROOT, BenchmarkError, clean_environment, display
from benchmarks.transcript import measure_open, measure_scroll, measure_stream

if TYPE_CHECKING:
    from app.chat.messages import Message, PathEntry
    from app.store.store import Store

RUNS = 7
SCROLL_RUNS = 3
LIMIT_S = 400


class Stored:
    """What the transcript asks for, straight from the store, for one conversation whatever it is called."""

    def __init__(self, store: Store, conversation_id: str) -> None:
        self._messages = store.messages
        self._id = conversation_id

    def path(self, conversation_id: str) -> list[PathEntry]:
        """The visible path."""
        return self._messages.path(self._id)

    def message(self, message_id: str) -> Message:
        """One message with everything."""
        return self._messages.get(message_id)

    def body(self, message_id: str) -> tuple[str, str]:
        """Text and thinking."""
        return self._messages.body(message_id)

    def siblings(self, message_id: str) -> list[str]:
        """All children of its parent."""
        return self._messages.siblings(message_id)


def open_10k(pairs: int) -> list[Figure]:
    """From opening to the end of the first paint, and what opening and the idle work after it add to the memory."""
    found, screen = _measured("open", RUNS)
    times = median_interval([one["open_ms"] for one in found])
    memory = median_interval([one["memory_mb"] for one in found])
    layouts = max(one["layouts_at_open"] for one in found)
    later = max(one["layouts_after_idle"] for one in found)
    note = f"95 % [{times.low:.0f}, {times.high:.0f}], {RUNS} processes, {layouts:.0f} layouts by then; {screen}"
    more = f"95 % [{memory.low:.1f}, {memory.high:.1f}], {RUNS} processes, {later:.0f} layouts when idle; {screen}"
    return [
        Figure("open_10k_ms", times.value, "ms", note, at_most=100.0, low=times.low, high=times.high),
        Figure("open_10k_mb", memory.value, "MB", more, at_most=40.0, low=memory.low, high=memory.high),
    ]


def scroll(pairs: int) -> list[Figure]:
    """The 99th percentile of frames of 120 px, upwards from the end."""
    found, screen = _measured("scroll", SCROLL_RUNS)
    worst = [one["scroll_p99_ms"] for one in found]
    middle = statistics.median(one["scroll_median_ms"] for one in found)
    longest = max(one["scroll_max_ms"] for one in found)
    note = f"median of {len(worst)} runs ({', '.join(f'{p99:.1f}' for p99 in worst)}), "
    note += f"median frame {middle:.1f}, longest {longest:.1f}; {screen}"
    return [Figure("scroll_p99_ms", statistics.median(worst), "ms", note, at_most=12.0)]


def stream(pairs: int) -> list[Figure]:
    """The main thread while a reply of 200 kB arrives at 500 tokens a second: share of a core, longest pause."""
    found, screen = _measured("stream", 1)
    one = found[0]
    note = f"{one['stream_characters'] / 1000:.0f} kB in {one['stream_seconds']:.0f} s; {screen}"
    share = f"{note}; {one['stream_cpu_share_raw'] * 100:.1f} % with the measuring timer"
    gap = f"{note}; 99 % of the gaps are below {one['stream_gap_p99_ms']:.1f}"
    return [
        Figure("stream_cpu_share", one["stream_cpu_share"] * 100, "%", share, at_most=20.0),
        Figure("stream_longest_gap_ms", one["stream_longest_gap_ms"], "ms", gap, at_most=16.0),
    ]


def _measured(what: str, runs: int) -> tuple[list[dict[str, float]], str]:
    """The numbers of so many fresh processes, and the name of the screen they drew on."""
    if what != "stream":
        from benchmarks.history import long_history

        long_history()  # made here, so that no measured process makes it
    found: list[dict[str, float]] = []
    with display() as (screen, screen_name):
        for _ in range(runs):
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.conversation", what],
                cwd=ROOT,
                capture_output=True,
                text=True,
                env={**clean_environment(), **screen},
                timeout=LIMIT_S,
                check=False,
            )
            answers = [line for line in done.stdout.splitlines() if line.startswith("{")]
            if done.returncode != 0 or not answers:
                told = (done.stderr or done.stdout).strip()[-400:]
                raise BenchmarkError(f"{what} ended with {done.returncode}: {told}")
            found.append(json.loads(answers[-1]))
    return found, screen_name


def main() -> None:
    """Measures what the argument names, once."""
    what = sys.argv[1]
    if what == "stream":
        print(json.dumps(measure_stream()))
        return
    from app.store.store import open_store
    from benchmarks.history import long_history

    places, conversation_id = long_history()
    store = open_store(places)
    try:
        conversations = Stored(store, conversation_id)
        print(json.dumps((measure_open if what == "open" else measure_scroll)(conversations)))
    finally:
        store.close()


if __name__ == "__main__":
    main()
