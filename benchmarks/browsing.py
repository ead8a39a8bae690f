"""Looking around on the Models page of the real window, over the real services and gate: the first results of a search,
and scrolling through many.

Every measurement is a fresh process; the Hub is a process of its own on loopback. What is done to the page is in
results.py: `python -m benchmarks.browsing NAME FOLDER` does it once and prints JSON.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from pathlib import Path

from app.base.paths import Places
from benchmarks.figures import Figure, median_interval
from benchmarks.processes import Peer, display, run_once

COUNT = 5000
FIRST_RUNS = 9
SCROLL_RUNS = 5
LIMIT_S = 150
FIRST_MS = 100.0
PAUSE_MS = 32.0

Numbers = dict[str, float]


def search_first(pairs: int) -> list[Figure]:
    """From the last byte of the Hub's answer to the end of the first paint of its results."""
    found, screen = _measured("first", FIRST_RUNS)
    times = median_interval([one["first_ms"] for one in found])
    again = median_interval([one["next_ms"] for one in found])
    note = (
        f"last byte of the answer read in this process to the end of the first paint of the window with results, the "
        f"first search of a process: 95 % [{times.low:.1f}, {times.high:.1f}], longest "
        f"{max(one['first_ms'] for one in found):.1f}; another search: {again.value:.1f} [{again.low:.1f}, "
        f"{again.high:.1f}]; {found[0]['rows']:.0f} results, an answer of {found[0]['kb']:.0f} kB, {len(found)} "
        f"processes; {screen}"
    )
    return [Figure("search_first_ms", times.value, "ms", note, at_most=FIRST_MS, low=times.low, high=times.high)]


def search_scroll(pairs: int) -> list[Figure]:
    """The longest pause of the main thread while pages of results arrive under a turning wheel."""
    found, screen = _measured("scroll", SCROLL_RUNS)
    pauses = median_interval([one["longest_ms"] for one in found])
    note = (
        f"longest gap of a timer of 1 ms through {found[0]['rows']:.0f} results, {found[0]['pages']:.0f} pages "
        f"arriving on the way: 95 % [{pauses.low:.1f}, {pauses.high:.1f}], of the runs "
        f"{_each(found, 'longest_ms')} (in these the thread itself ran "
        f"{_each(found, 'longest_own_ms')}, in any gap at most "
        f"{max(one['most_own_ms'] for one in found):.1f}); 99 % are below "
        f"{statistics.median(one['p99_ms'] for one in found):.1f}; the thread takes "
        f"{statistics.median(one['share'] for one in found) * 100:.0f} % of a core for "
        f"{statistics.median(one['seconds'] for one in found):.0f} s; then the bar drawn through all of them: longest "
        f"{statistics.median(one['drag_longest_ms'] for one in found):.1f}; the page at rest: "
        f"{max(one['rest_longest_ms'] for one in found):.1f}; {screen}"
    )
    return [
        Figure("search_scroll_pause_ms", pauses.value, "ms", note, at_most=PAUSE_MS, low=pauses.low, high=pauses.high)
    ]


def _each(found: list[Numbers], name: str) -> str:
    return ", ".join(f"{one[name]:.1f}" for one in found)


def _measured(name: str, runs: int) -> tuple[list[Numbers], str]:
    """The numbers of so many fresh processes, and the name of the screen they drew on."""
    with display() as (screen, screen_name), Peer("benchmarks.peers.hub", str(COUNT)) as peer:
        hub = str(peer.read()["hub"])
        return [_once(name, hub, screen) for _ in range(runs)], screen_name


def _once(name: str, hub: str, screen: dict[str, str]) -> Numbers:
    with tempfile.TemporaryDirectory(prefix="inglenook-bench-") as folder:
        settings = {"network": {"mode": "online", "endpoint": hub}, "engine": {"auto_load": False}}
        places = _places(folder)
        places.settings.write_text(json.dumps(settings), encoding="utf-8")
        return run_once("benchmarks.browsing", name, folder, environment=screen, limit_s=LIMIT_S)


def _places(folder: str) -> Places:
    return Places(Path(folder), Path(folder) / "logs")


def main(arguments: list[str]) -> None:
    """Measures once what the first argument names, in a data folder."""
    from benchmarks import results
    from benchmarks.inside import run_inside

    name, folder = arguments
    print(json.dumps(run_inside(_places(folder), getattr(results, name))))


if __name__ == "__main__":
    main(sys.argv[1:])
