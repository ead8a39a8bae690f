"""How soon a long conversation goes on: after a restart, from its snapshot, and on switching between two in memory; and
what others notice while a snapshot is written and brought back.

Cold figures are taken once: reading 7,500 tokens anew takes half a minute and more.
"""

from __future__ import annotations

import itertools
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from app.engine.client import Call
from app.engine.protocol import Kept
from app.engine.values import GenerateRequest, GenerationFacts, LoadOptions, PromptMessage, Sampling
from benchmarks.figures import Figure, median_interval
from benchmarks.processes import BUILD, BenchmarkError
from benchmarks.speaking import PATIENCE_S, SYSTEM, Heard, Speaker
from benchmarks.texts import prose

TOKENS = 7_500
WINDOW = 8_192
ROUNDS = 10
TARGET = 1 / 75
PAUSE_MS = 50.0
TURN_WORDS = 70
STREAM = "Write a very long story about a lighthouse keeper, with many chapters and much detail."


class Talk:
    """A conversation that grows, as the application holds it: replies go back with their tokens."""

    def __init__(self, number: int, file: Path | None = None) -> None:
        self._source = random.Random(number)
        self.name = f"talk-{number}"
        self.file = "" if file is None else str(file)
        self.messages = [PromptMessage(role="system", content=f"{number} is the number of this talk. {SYSTEM}")]

    def fill(self, speaker: Speaker, tokens: int) -> int:
        """Turns that somebody wrote, until the prompt has nearly so many tokens; how many it has."""
        total = 0
        while True:
            turn = [
                PromptMessage(role="user", content=prose(self._source, TURN_WORDS)),
                PromptMessage(role="assistant", content=prose(self._source, TURN_WORDS)),
            ]
            count = speaker.count([*self.messages, *turn])
            if count > tokens:
                return total
            self.messages += turn
            total = count

    def say(
        self, speaker: Speaker, *, file: str | None = None, words: int = 8, tokens: int = 8, typed: bool = False
    ) -> Heard:
        """One more turn. `typed`: the window shows the engine what is being typed; it is sent a second after the engine
        has nothing left to do with it. Otherwise it comes at once, as from the command line."""
        self.messages.append(PromptMessage(role="user", content=prose(self._source, words)))
        if typed:
            self._type(speaker)
        heard = _generate(speaker, self.messages, self.name, self.file if file is None else file, tokens)
        self.messages.append(
            PromptMessage(
                role="assistant", content=heard.text, token_ids=heard.token_ids, tokenizer=speaker.model.tokenizer
            )
        )
        return heard

    def _type(self, speaker: Speaker) -> None:
        client, read, still = speaker.client, -1, 0
        client.measure(self.messages, sequence=self.name, ahead=True).result(PATIENCE_S)
        while still < 10:
            time.sleep(0.1)
            cached = client.measure(self.messages, sequence=self.name).result(PATIENCE_S).cached
            read, still = cached, still + 1 if cached == read else 0


def _generate(speaker: Speaker, messages: list[PromptMessage], name: str, file: str, tokens: int) -> Heard:
    call, heard = _begin(speaker, messages, name, file, tokens)
    call.result(PATIENCE_S)
    if not heard.deltas:
        raise BenchmarkError("the engine ended without a token")
    return heard


def _begin(
    speaker: Speaker, messages: list[PromptMessage], name: str, file: str, tokens: int
) -> tuple[Call[GenerationFacts], Heard]:
    request = GenerateRequest(
        sequence=name, messages=messages, sampling=Sampling(seed=1, max_tokens=tokens), snapshot=file
    )
    return speaker.ask(request)


def reopen(pairs: int) -> list[Figure]:
    """Send to first token in a reopened conversation after a restart / cold; and the pauses that others see."""
    with tempfile.TemporaryDirectory(dir=_folder()) as folder:
        file = Path(folder) / "talk.kv"
        talk = Talk(1, file)
        with Speaker(LoadOptions(n_ctx=WINDOW)) as speaker:
            talk.fill(speaker, TOKENS - 60)
            first = talk.say(speaker)
            begun = time.perf_counter()
            kept: Kept = speaker.client.keep(talk.name).result(PATIENCE_S)
            saving_s = time.perf_counter() - begun
        cold_s = first.first_token_s
        before = list(talk.messages)
        warm: list[float] = []
        sudden: list[float] = []
        load, restored = [], []
        for number in range(2 * max(3, min(pairs, ROUNDS))):
            talk.messages = list(before)
            with Speaker(LoadOptions(n_ctx=WINDOW)) as speaker:
                load.append(speaker.model.load_s)
                begun = time.perf_counter()
                tokens = speaker.client.restore(talk.name, str(file)).result(PATIENCE_S)
                restored.append(time.perf_counter() - begun)
                heard = talk.say(speaker, file="", typed=number % 2 == 0)
            if tokens != kept.tokens or heard.facts is None or heard.facts.cached_tokens < tokens:
                raise BenchmarkError(f"{tokens} of {kept.tokens} tokens came back")
            (sudden if number % 2 else warm).append(heard.first_token_s)
        ratio = median_interval([one / cold_s for one in warm])
        at_once = median_interval([one / cold_s for one in sudden])
        note = (
            f"{statistics.median(warm) * 1e3:.0f} ms / {cold_s:.1f} s cold (once), {kept.tokens} tokens, typed, then "
            f"sent, {len(warm)} restarts; sent without being typed, as from the command line "
            f"{statistics.median(sudden) * 1e3:.0f} ms, {at_once.value:.4f}; beside: model loaded in "
            f"{statistics.median(load) * 1e3:.0f} ms, snapshot of "
            f"{kept.size_bytes / 1e6:.0f} MB back in {statistics.median(restored) * 1e3:.0f} ms, written in "
            f"{saving_s * 1e3:.0f} ms"
        )
        found = [Figure("reopen", ratio.value, "ratio", note, at_most=TARGET, low=ratio.low, high=ratio.high)]
        talk.messages = before
        return [*found, _pause(talk, file, max(3, min(pairs, ROUNDS)))]


def _pause(talk: Talk, file: Path, rounds: int) -> Figure:
    """The longest that a stream waited for its next words while the long conversation was kept or brought back,
    above what it usually waits."""
    longest: list[float] = []
    quiet: list[float] = []
    usual: list[float] = []
    with Speaker(LoadOptions(n_ctx=WINDOW, n_cells=2 * WINDOW, n_seq_max=2)) as speaker:
        client = speaker.client
        for number in range(rounds):
            client.restore(talk.name, str(file)).result(PATIENCE_S)
            talk.say(speaker, words=2, tokens=1)
            call, heard = _stream(speaker, number)
            while len(heard.deltas) < 10 and heard.facts is None:
                time.sleep(0.01)
            spans: list[tuple[float, float]] = []
            works: list[Callable[[], object]] = [
                lambda: client.keep(talk.name).result(PATIENCE_S),
                lambda: client.forget(talk.name).result(PATIENCE_S),
                lambda: client.restore(talk.name, str(file)).result(PATIENCE_S),
            ]
            for work in works:
                begun = time.perf_counter()
                work()
                spans.append((begun, time.perf_counter()))
            time.sleep(sum(end - begin for begin, end in spans))
            spans.append((spans[-1][1], time.perf_counter()))
            if heard.facts is not None:
                raise BenchmarkError("the stream ended too soon")
            call.cancel()
            call.result(PATIENCE_S)
            times = [at for at, _ in heard.deltas]
            gaps = [(one, two) for one, two in itertools.pairwise(times)]
            usual.append(statistics.median(two - one for one, two in gaps))
            for span, into in zip(spans, (longest, [], longest, quiet), strict=True):
                into.append(max((two - one for one, two in gaps if two > span[0] and one < span[1]), default=0.0))
            client.forget("stream").result(PATIENCE_S)
            talk.messages = talk.messages[:-2]
    worst = max(longest) - statistics.median(usual)
    note = (
        f"longest gap of a stream meanwhile {max(longest) * 1e3:.0f} ms, median of {len(longest)} "
        f"{statistics.median(longest) * 1e3:.0f} ms; its usual gap of {statistics.median(usual) * 1e3:.0f} ms is taken "
        f"off; without snapshots its longest was {max(quiet) * 1e3:.0f} ms"
    )
    return Figure("snapshot_pause_ms", worst * 1e3, "ms", note, at_most=PAUSE_MS)


def _stream(speaker: Speaker, number: int) -> tuple[Call[GenerationFacts], Heard]:
    """A reply that does not end: greedily, a small model goes on and on."""
    messages = [PromptMessage(role="user", content=f"{number}. {STREAM}")]
    request = GenerateRequest(
        sequence="stream", messages=messages, sampling=Sampling(temperature=0.0, max_tokens=4000), guess=False
    )
    return speaker.ask(request)


def switch(pairs: int) -> list[Figure]:
    """Send to first token after switching to the other of two long conversations in memory / cold."""
    with Speaker(LoadOptions(n_ctx=WINDOW, n_cells=2 * WINDOW, n_seq_max=2)) as speaker:
        talks = [Talk(number) for number in (2, 3)]
        cold = []
        for talk in talks:
            talk.fill(speaker, TOKENS - 60)
            cold.append(talk.say(speaker).first_token_s)
        warm: list[float] = []
        sudden: list[float] = []
        for turn in range(2 * max(4, min(pairs, ROUNDS))):
            typed = turn % 4 < 2
            heard = talks[turn % 2].say(speaker, words=6, tokens=6, typed=typed)
            if heard.started is None or heard.started.prompt_tokens - heard.started.cached_tokens > 60:
                raise BenchmarkError("the conversation was read again")
            (warm if typed else sudden).append(heard.first_token_s)
    ratio = median_interval([one / statistics.mean(cold) for one in warm])
    note = (
        f"{statistics.median(warm) * 1e3:.0f} ms / {statistics.mean(cold):.1f} s cold (once each), about {TOKENS} "
        f"tokens each, {2 * WINDOW} cells, typed, then sent, {len(warm)} switches; sent without being typed "
        f"{statistics.median(sudden) * 1e3:.0f} ms"
    )
    return [Figure("switch", ratio.value, "ratio", note, at_most=TARGET, low=ratio.low, high=ratio.high)]


def _folder() -> Path:
    BUILD.mkdir(exist_ok=True)
    return BUILD
