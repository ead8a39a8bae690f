"""How soon a conversation answers when it has grown: the first token of turn 20 against that of turn 1."""

from __future__ import annotations

import random
import statistics

from app.engine.values import LoadOptions, PromptMessage, Sampling
from benchmarks.figures import Figure, median_interval
from benchmarks.processes import BenchmarkError
from benchmarks.speaking import SYSTEM, Heard, Speaker
from benchmarks.texts import prose

TURNS = 20
REPLY_TOKENS = 24
OPTIONS = LoadOptions(n_ctx=4096)


def ttft_turn20_over_turn1(pairs: int) -> list[Figure]:
    """Asking to first token, the last of 20 short turns / the first, in one conversation; a few conversations."""
    firsts: list[float] = []
    lasts: list[float] = []
    grown: list[int] = []
    read: list[int] = []
    with Speaker(OPTIONS) as speaker:
        _converse(speaker, 0, turns=2)  # warm
        for number in range(1, max(3, pairs // 2) + 1):
            heard = _converse(speaker, number)
            firsts.append(heard[0].first_token_s)
            lasts.append(heard[-1].first_token_s)
            started = heard[-1].started
            assert started is not None
            grown.append(started.prompt_tokens)
            read.append(started.prompt_tokens - started.cached_tokens)
    ratio = median_interval([last / first for first, last in zip(firsts, lasts, strict=True)])
    note = (
        f"{statistics.median(lasts) * 1e3:.0f} / {statistics.median(firsts) * 1e3:.0f} ms, "
        f"95 % [{ratio.low:.2f}, {ratio.high:.2f}], {len(firsts)} conversations; turn {TURNS} has "
        f"{statistics.median(grown):.0f} tokens, {statistics.median(read):.0f} of them new to the cache"
    )
    name = "ttft_turn20_over_turn1"
    return [Figure(name, ratio.value, "ratio", note, at_most=1.5, low=ratio.low, high=ratio.high)]


def _converse(speaker: Speaker, number: int, *, turns: int = TURNS) -> list[Heard]:
    """One conversation of short messages, as the application holds it: replies go back with their tokens."""
    source = random.Random(number)
    # the difference comes first, so that turn 1 cannot live on the conversation before
    messages = [PromptMessage(role="system", content=f"{number} is the number of this talk. {SYSTEM}")]
    heard: list[Heard] = []
    for turn in range(turns):
        messages.append(PromptMessage(role="user", content=prose(source, 12)))
        sampling = Sampling(seed=number * 100 + turn, max_tokens=REPLY_TOKENS)
        reply = speaker.say(messages, sampling, f"talk-{number}")
        if reply.facts is None:
            raise BenchmarkError("a reply did not finish")
        heard.append(reply)
        messages.append(
            PromptMessage(
                role="assistant",
                content=reply.text,
                token_ids=reply.token_ids,
                tokenizer=speaker.model.tokenizer,
            )
        )
    return heard
