"""From Stop to silence: how long the engine goes on after it was asked to stop, while writing and while reading."""

from __future__ import annotations

import random
import statistics
import threading
import time
from collections.abc import Callable

from app.engine.protocol import Delta, Progress, Started
from app.engine.values import LoadOptions, PromptMessage, Sampling
from benchmarks.figures import Figure
from benchmarks.processes import BenchmarkError, cpu_s
from benchmarks.speaking import PATIENCE_S, Event, Heard, Speaker, asking
from benchmarks.texts import prose

LIMIT_MS = 100.0
TRIES = 10
PROMPT_TOKENS = 6000
QUIET_S = 0.3
OPTIONS = LoadOptions(n_ctx=8192)


def stop_decoding_ms(pairs: int) -> list[Figure]:
    """Stop to the end of the generation while tokens flow; the worst of several, after different numbers of tokens."""
    source = random.Random(1)
    with Speaker(OPTIONS) as speaker:

        def one(number: int) -> tuple[float, Heard, float]:
            after = 8 + 7 * number

            def written(event: Event, heard: Heard) -> bool:
                return isinstance(event, Delta) and len(heard.token_ids) >= after

            return _stop(speaker, asking("Write a very long story."), f"stop-{number}", written, source.random() * 0.02)

        return [_figure("stop_decoding_ms", [one(number) for number in range(TRIES)], "")]


def stop_prompt_ms(pairs: int) -> list[Figure]:
    """Stop to the end of the generation in the middle of a prompt of 6,000 tokens; the worst of several places."""
    source = random.Random(2)
    with Speaker(OPTIONS) as speaker:
        prompts = [_long_prompt(speaker, number) for number in range(TRIES)]
        slice_s = _slice_s(speaker)

        def one(number: int) -> tuple[float, Heard, float]:
            # five places up to 60 % of the prompt: what lies before a slice makes it slower
            place = PROMPT_TOKENS * (number % 5) * 0.15

            def reached(event: Event, heard: Heard) -> bool:
                if place == 0:
                    return isinstance(event, Started)
                return isinstance(event, Progress) and event.done >= place

            pause = source.random() * slice_s  # anywhere inside a slice
            measured = _stop(speaker, prompts[number], f"stop-{number}", reached, pause)
            if measured[1].deltas:
                raise BenchmarkError("the prompt was over before Stop was asked for")
            return measured

        size = speaker.count(prompts[0])
        return [_figure("stop_prompt_ms", [one(number) for number in range(TRIES)], f"prompt of {size} tokens, ")]


def _stop(
    speaker: Speaker,
    messages: list[PromptMessage],
    sequence: str,
    due: Callable[[Event, Heard], bool],
    pause_s: float,
) -> tuple[float, Heard, float]:
    """Milliseconds from Stop to the terminal event, what was heard, and CPU seconds the worker used afterwards."""
    reached = threading.Event()

    def watch(event: Event, heard: Heard) -> None:
        if due(event, heard):
            reached.set()

    call, heard = speaker.start(messages, Sampling(seed=1), sequence, watch)
    if not reached.wait(PATIENCE_S):
        raise BenchmarkError("the moment to stop never came")
    time.sleep(pause_s)
    asked = time.perf_counter()
    call.cancel()
    call.result(PATIENCE_S)
    pid = speaker.client.pid
    assert pid is not None
    before = cpu_s(pid)
    time.sleep(QUIET_S)
    return (heard.ended - asked) * 1e3, heard, cpu_s(pid) - before


def _long_prompt(speaker: Speaker, number: int) -> list[PromptMessage]:
    """A question of at least PROMPT_TOKENS tokens that no other prompt begins like."""
    words = PROMPT_TOKENS
    while True:
        text = prose(random.Random(number), words)
        messages = asking(text, f"{number} is the number of this letter.")
        tokens = speaker.count(messages)
        if tokens >= PROMPT_TOKENS:
            return messages
        words += (PROMPT_TOKENS - tokens) + 20


def _slice_s(speaker: Speaker) -> float:
    """Seconds that this device takes for a slice of a prompt; the first prompt only warms it."""
    seconds = 0.0
    for number in range(2):
        text = prose(random.Random(-1 - number), speaker.options.n_batch)
        facts = speaker.say(asking(text, f"{number} warms."), Sampling(seed=1, max_tokens=1), "slice").facts
        assert facts is not None
        seconds = facts.prompt_s / (facts.prompt_tokens - facts.cached_tokens) * speaker.options.n_batch
    return seconds


def _figure(name: str, measured: list[tuple[float, Heard, float]], more: str) -> Figure:
    times = [milliseconds for milliseconds, _, _ in measured]
    for _, heard, _ in measured:
        if heard.facts is None or heard.facts.finish_reason != "stopped":
            raise BenchmarkError(f"a generation ended by itself: {heard.facts or heard.failed}")
    quiet = max(seconds for _, _, seconds in measured)
    note = (
        f"{more}worst of {len(times)}, median {statistics.median(times):.1f}; "
        f"the worker then used at most {quiet * 1e3:.0f} ms of CPU in {QUIET_S * 1e3:.0f} ms"
    )
    return Figure(name, max(times), "ms", note, at_most=LIMIT_MS)
