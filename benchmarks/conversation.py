"""A conversation of 10,000 messages in the real window over the real store: opening it, scrolling in it; and a fast
reply being followed.

Every measurement is a fresh process, because memory and warm caches of one would flatter the next. What is done to the
transcript is in transcript.py: `python -m benchmarks.conversation NAME FOLDER ID` does it once and prints JSON.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from app.base.paths import Places
from benchmarks.figures import Figure, Interval, median_interval
from benchmarks.processes import display, run_once

RUNS = 7
SCROLL_RUNS = 3
STREAM_RUNS = 3
LIMIT_S = 400

Numbers = dict[str, float]


def open_10k(pairs: int) -> list[Figure]:
    """From opening to the end of the first paint; and what it adds to the memory of the window."""
    (first, following, blank), screen = _measured(("open_first", "open_next", "blank"), RUNS)
    times = median_interval([one["open_ms"] for one in first])
    again = median_interval([one["open_ms"] for one in following])
    added = _added(first, blank, "pss_mb")
    layouts = max(one["layouts"] for one in first + following)
    later = max(one["layouts_later"] for one in first + following)
    note = (
        f"click to end of the first paint of the window, store's file cached; as the first conversation of a process: "
        f"95 % [{times.low:.0f}, {times.high:.0f}]; while another is shown: {again.value:.0f} [{again.low:.0f}, "
        f"{again.high:.0f}]; {RUNS} processes each, {layouts:.0f} layouts by then; {screen}"
    )
    more = (
        f"PSS of a process with it open and idle, less that of one without a conversation: 95 % [{added.low:.1f}, "
        f"{added.high:.1f}], {RUNS} pairs; private memory +{_added(first, blank, 'private_mb').value:.1f}, peak "
        f"+{_added(first, blank, 'peak_mb').value:.1f}; {later:.0f} layouts; {screen}"
    )
    return [
        Figure("open_10k_ms", times.value, "ms", note, at_most=100.0, low=times.low, high=times.high),
        Figure("open_10k_mb", added.value, "MB", more, at_most=40.0, low=added.low, high=added.high),
    ]


def _added(subject: list[Numbers], base: list[Numbers], name: str) -> Interval:
    return median_interval([one[name] - other[name] for one, other in zip(subject, base, strict=True)])


def scroll(pairs: int) -> list[Figure]:
    """The 99th percentile of the main thread's work in a frame, for every way of scrolling."""
    (found,), screen = _measured(("scroll",), SCROLL_RUNS)
    p99 = [one["p99_ms"] for one in found]
    ways = ", ".join(
        f"{words} {statistics.median(one[f'{way}_p99_ms'] for one in found):.1f} (of {found[0][f'{way}_frames']:.0f})"
        for way, words in (("read", "120 px a frame"), ("fling", "flings"), ("drag", "scroll bar"), ("page", "pages"))
    )
    note = (
        f"all work of the main thread between two frames at 60 a second, waiting left out; {len(found)} runs: "
        f"{_each(found, 'p99_ms')}; {ways}; median frame "
        f"{statistics.median(one['p50_ms'] for one in found):.1f}, longest {max(one['max_ms'] for one in found):.1f}; "
        f"the thread itself ran {statistics.median(one['own_p99_ms'] for one in found):.1f} in 99 % of them at most, "
        f"the rest it waited for a core or the screen; "
        f"all through the conversation the process grows to {max(one['pss_mb'] for one in found):.0f} MB; {screen}"
    )
    return [Figure("scroll_p99_ms", statistics.median(p99), "ms", note, at_most=12.0)]


def stream(pairs: int) -> list[Figure]:
    """The main thread while a reply of 200 kB arrives at 500 tokens a second: share of a core, longest gap."""
    (found,), screen = _measured(("stream",), STREAM_RUNS)
    one = {name: statistics.median(run[name] for run in found) for name in found[0]}
    what = (
        f"a whole reply of {one['characters'] / 1000:.0f} kB, {one['tokens']:.0f} tokens at "
        f"{one['tokens_per_s']:.0f}/s from an engine process through services, bridge and window in "
        f"{one['live_seconds']:.0f} s; medians of {len(found)} runs; {screen}"
    )
    share = (
        f"{what}; {_each(found, 'live_share', 100)}; {one['last_share'] * 100:.1f} in the last 20 s; of it a measuring "
        f"timer of 1 ms ({one['before_share'] * 100:.1f} and {one['after_share'] * 100:.1f} in the idle window); whole "
        f"process {one['live_process_share'] * 100:.0f}"
    )
    gap = (
        f"{what}; {_each(found, 'live_longest_ms')}, in them the thread itself ran "
        f"{_each(found, 'live_longest_own_ms')}; in any gap at most {one['live_most_own_ms']:.1f}; 99 % are below "
        f"{one['live_p99_ms']:.1f}, {_each(found, 'live_long')} above 16; sending the question, before the "
        f"first token: longest {_each(found, 'sent_longest_ms')}; the idle window before and after, "
        f"{one['before_seconds'] + one['after_seconds']:.0f} s: longest {_each(found, 'before_longest_ms')} and "
        f"{_each(found, 'after_longest_ms')}"
    )
    return [
        Figure("stream_cpu_share", one["live_share"] * 100, "%", share, at_most=20.0),
        Figure("stream_longest_gap_ms", one["live_longest_ms"], "ms", gap, at_most=16.0),
    ]


def _each(found: list[Numbers], name: str, times: float = 1.0) -> str:
    """What every run got."""
    return ", ".join(f"{run[name] * times:.3g}" for run in found)


def _measured(names: Iterable[str], runs: int) -> tuple[list[list[Numbers]], str]:
    """The numbers of so many fresh processes of each kind, taken in turn, and the name of the screen they drew on."""
    from benchmarks.inside import home

    names = list(names)
    found: dict[str, list[Numbers]] = {name: [] for name in names}
    with display() as (screen, screen_name), home() as (places, conversation_id):
        for run in range(runs):
            for name in names if run % 2 == 0 else reversed(names):
                arguments = (name, str(places.data), conversation_id)
                numbers = run_once("benchmarks.conversation", *arguments, environment=screen, limit_s=LIMIT_S)
                found[name].append(numbers)
    return list(found.values()), screen_name


def main(arguments: list[str]) -> None:
    """Measures once what the first argument names, in a data folder, on the conversation of an id."""
    from benchmarks import transcript
    from benchmarks.inside import run_inside

    name, folder, conversation_id = arguments
    places = Places(Path(folder), Path(folder) / "logs")
    if name in ("stream", "blank"):
        command = _engine(places) if name == "stream" else None
        found = run_inside(places, getattr(transcript, name), engine_command=command)
    else:
        found = run_inside(places, partial(getattr(transcript, name), conversation_id=conversation_id))
    print(json.dumps(found))


def _engine(places: Places) -> list[str]:
    """The scripted engine, with one very long reply."""
    from app.engine.command import fake_command
    from benchmarks.texts import markdown
    from benchmarks.transcript import REPLY_CHARS, TOKENS_PER_S

    text = markdown(random.Random(7), REPLY_CHARS)
    script = places.data / "script.json"
    reply = {"text": text, "tokens_per_s": TOKENS_PER_S}
    script.write_text(json.dumps({"replies": [reply], "n_ctx": 131_072}), encoding="utf-8")
    return fake_command(str(script))


if __name__ == "__main__":
    main(sys.argv[1:])
