"""Decode and prompt speed of the engine as its client sees it, against bare loop, high-level API and server."""

from __future__ import annotations

import http.client
import itertools
import json
import random
import time
from collections.abc import Callable
from typing import Any

from app.engine.values import LoadOptions, PromptMessage, Sampling
from benchmarks.figures import Figure, ratio_figure, run_pairs
from benchmarks.processes import BenchmarkError, Peer
from benchmarks.speaking import Speaker, asking, chatml, how_loaded, peer_options
from benchmarks.texts import prose

TOKENS = 128
PROMPT_WORDS = 640
QUESTION = "Write a very long story about a lighthouse keeper, with many chapters and much detail."
OPTIONS = LoadOptions(n_ctx=2048)
STEPS = ("temperature", "top_k", "top_p", "min_p")
SEEDS = range(1, 40)


def _settings(sampling: Sampling) -> dict[str, float]:
    return {step: getattr(sampling, step) for step in STEPS}


def _plain(messages: list[PromptMessage]) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in messages]


def engine_speed(speaker: Speaker, seed: int) -> float:
    """Tokens per second of one reply; 0 when the model ended it early."""
    heard = speaker.say(asking(QUESTION), Sampling(seed=seed, max_tokens=TOKENS), "speed")
    return heard.tokens_per_s if len(heard.token_ids) == TOKENS else 0.0


def shared_seed(*sides: Callable[[int], float]) -> int:
    """A seed with which every side writes all the tokens asked for. Also warms all of them."""
    for seed in SEEDS:
        if all(side(seed) > 0 for side in sides):
            return seed
    raise BenchmarkError("no seed lets every side write a long enough reply")


def _decode(
    name: str, pairs: int, base_side: Callable[[int], float], speaker: Speaker, at_least: float | None
) -> Figure:
    seed = shared_seed(lambda seed: engine_speed(speaker, seed), base_side)
    paired = run_pairs(lambda: engine_speed(speaker, seed), lambda: base_side(seed), pairs)
    more = f"{TOKENS} tokens each, {how_loaded(speaker)}"
    return ratio_figure(name, paired, "tokens/s", at_least=at_least, more=more)


def decode_vs_bare(pairs: int) -> list[Figure]:
    """Decode speed / a bare loop on the low-level API in the same build, same sampler chain."""
    with Speaker(OPTIONS) as speaker, _peer("bare", speaker) as bare:
        prompt, sampling = chatml(asking(QUESTION)), _settings(Sampling())

        def side(seed: int) -> float:
            answer = bare.ask(prompt=prompt, tokens=TOKENS, seed=seed, sampling=sampling)
            return (TOKENS - 1) / float(answer["decode_s"])

        expected = speaker.count(asking(QUESTION))
        found = bare.ask(prompt=prompt, tokens=1, seed=1, sampling=sampling)["prompt_tokens"]
        if found != expected:
            raise BenchmarkError(f"the bare loop reads {found} tokens where the engine reads {expected}")
        return [_decode("decode_vs_bare", pairs, side, speaker, 0.97)]


def decode_vs_chat(pairs: int) -> list[Figure]:
    """Decode speed / `Llama.create_chat_completion`, streaming."""
    with Speaker(OPTIONS) as speaker, _peer("chat", speaker) as chat:
        sampling = _settings(Sampling())

        def side(seed: int) -> float:
            answer = chat.ask(messages=_plain(asking(QUESTION)), tokens=TOKENS, seed=seed, sampling=sampling)
            # a token whose bytes end inside a character comes with its successor
            return (TOKENS - 1) / float(answer["decode_s"]) if answer["tokens"] >= TOKENS - 4 else 0.0

        return [_decode("decode_vs_chat", pairs, side, speaker, None)]


def decode_vs_server(pairs: int) -> list[Figure]:
    """Decode speed / llama.cpp's own server, streaming over HTTP on the loopback."""
    with Speaker(OPTIONS) as speaker, Peer("benchmarks.peers.server", json.dumps(peer_options(speaker))) as server:
        address = str(server.read()["address"])
        body = {
            "messages": _plain(asking(QUESTION)),
            **_settings(Sampling()),
            "samplers": ["top_k", "top_p", "min_p", "temperature"],
            "max_tokens": TOKENS,
            "ignore_eos": True,
            "stream": True,
        }
        return [_decode("decode_vs_server", pairs, lambda seed: _served(address, {**body, "seed": seed}), speaker, 1.1)]


def _served(address: str, body: dict[str, Any]) -> float:
    """Tokens per second of one streamed answer, from the first event with text to the last one, as they are read."""
    host = address.removeprefix("http://").rstrip("/")
    connection = http.client.HTTPConnection(host, timeout=120)
    times: list[float] = []
    count = 0
    try:
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        if response.status != 200:
            raise BenchmarkError(f"the server answered {response.status}: {response.read(300)!r}")
        while line := response.readline():
            if not line.startswith(b"data: {"):
                continue
            now = time.perf_counter()
            event = json.loads(line[6:])
            count = event.get("timings", {}).get("predicted_n", count)
            if event["choices"] and event["choices"][0]["delta"].get("content"):
                times.append(now)
    finally:
        connection.close()
    if count < TOKENS:
        return 0.0
    return (count - 1) / (times[-1] - times[0])


def prompt_vs_bare(pairs: int) -> list[Figure]:
    """Tokens of a prompt per second, from asking to the first token / the bare loop. A new text for every pair."""
    numbers = itertools.count()
    with Speaker(OPTIONS) as speaker, _peer("bare", speaker) as bare:
        sampling = Sampling(seed=1, max_tokens=1)
        settings = _settings(sampling)

        def fresh() -> list[PromptMessage]:
            # the difference comes first, so that no cache can help
            number = next(numbers)
            return asking(prose(random.Random(number), PROMPT_WORDS), f"{number} is the number of this letter.")

        def engine() -> float:
            heard = speaker.say(fresh(), sampling, f"prompt-{next(numbers)}")
            assert heard.started is not None
            return (heard.started.prompt_tokens - heard.started.cached_tokens) / heard.first_token_s

        def floor() -> float:
            answer = bare.ask(prompt=chatml(fresh()), tokens=1, seed=1, sampling=settings)
            return float(answer["prompt_tokens"]) / float(answer["prompt_s"])

        engine()
        floor()
        paired = run_pairs(engine, floor, pairs)
        more = f"about {speaker.count(fresh())} tokens each, {how_loaded(speaker)}"
        return [ratio_figure("prompt_vs_bare", paired, "tokens/s", at_least=0.97, more=more)]


def _peer(name: str, speaker: Speaker) -> Peer:
    peer = Peer(f"benchmarks.peers.{name}", json.dumps(peer_options(speaker)))
    try:
        peer.read()
    except BaseException:
        peer.close()
        raise
    return peer
