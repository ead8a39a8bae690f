"""Several conversations at once: what all streams write together, against llama.cpp's own server (and, told beside,
a bare loop over the same batches), and how long one of them is held up while another's long prompt is read.
"""

from __future__ import annotations

import http.client
import itertools
import json
import random
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from app.engine.values import LoadOptions, PromptMessage, Sampling
from benchmarks.figures import Figure, median_interval, ratio_figure, run_pairs
from benchmarks.processes import BenchmarkError, Peer
from benchmarks.speaking import PATIENCE_S, Event, Heard, Speaker, asking, chatml, how_loaded, peer_options
from benchmarks.texts import prose

TOKENS = 64
CELLS = 8192
LONG_TOKENS = 6000
STEPS = ("temperature", "top_k", "top_p", "min_p")
TOPICS = (
    "a lighthouse keeper",
    "a baker",
    "a mountain village",
    "two rivers",
    "a clock",
    "a ferry",
    "a forest",
    "snow",
)


def parallel_4(pairs: int) -> list[Figure]:
    """Tokens a second of 4 streams together / llama.cpp's own server with 4."""
    return [_parallel("parallel_4", 4, 1.15, pairs)]


def parallel_8(pairs: int) -> list[Figure]:
    """Tokens a second of 8 streams together / llama.cpp's own server with 8."""
    return [_parallel("parallel_8", 8, 1.3, pairs)]


def _parallel(name: str, streams: int, at_least: float, pairs: int) -> Figure:
    sampling = Sampling(max_tokens=TOKENS)
    options = LoadOptions(n_ctx=CELLS, n_cells=CELLS, n_seq_max=streams)
    questions = [asking(f"Write a very long story about {topic}, with many chapters.") for topic in TOPICS[:streams]]
    turns = itertools.count()
    with Speaker(options) as speaker:
        asked = json.dumps({**peer_options(speaker), "n_ctx": CELLS, "n_parallel": streams})
        with Peer("benchmarks.peers.server", asked) as server, Peer("benchmarks.peers.bare", asked) as bare:
            bare.read()
            address = str(server.read()["address"]).removeprefix("http://").rstrip("/")

            def engine() -> float:
                turn = next(turns)
                begun = time.perf_counter()
                calls = [
                    speaker.start(question, _seeded(sampling, turn), f"stream-{number}")
                    for number, question in enumerate(questions)
                ]
                for call, _ in calls:
                    call.result(PATIENCE_S)
                written = sum(len(heard.token_ids) for _, heard in calls)
                return written / (max(heard.ended for _, heard in calls) - begun)

            def served() -> float:
                turn = next(turns)
                with ThreadPoolExecutor(streams) as pool:
                    begun = time.perf_counter()
                    counts = list(pool.map(lambda question: _served(address, question, sampling, turn), questions))
                    return sum(counts) / (time.perf_counter() - begun)

            def floor() -> float:
                prompts = [chatml(question) for question in questions]
                steps = {step: getattr(sampling, step) for step in STEPS}
                answer = bare.ask(prompts=prompts, tokens=TOKENS, seed=next(turns), sampling=steps)
                return streams * TOKENS / float(answer["total_s"])

            engine(), served(), floor()  # all are warm, and have read the prompts
            paired = run_pairs(engine, served, pairs)
            beside = run_pairs(engine, floor, max(pairs // 3, 1))
    more = f"{streams} streams of {TOKENS} tokens, {beside.ratio} of a bare batch loop, {how_loaded(speaker)}"
    return ratio_figure(name, paired, "tokens/s in all", at_least=at_least, more=more)


def _seeded(sampling: Sampling, turn: int) -> Sampling:
    return Sampling(max_tokens=sampling.max_tokens, seed=turn)


def _served(address: str, question: list[PromptMessage], sampling: Sampling, turn: int) -> int:
    """Tokens of one streamed answer."""
    body = {
        "messages": [{"role": message.role, "content": message.content} for message in question],
        **{step: getattr(sampling, step) for step in STEPS},
        "samplers": ["top_k", "top_p", "min_p", "temperature"],
        "max_tokens": sampling.max_tokens,
        "seed": turn,
        "stream": True,
        "cache_prompt": True,
    }
    connection = http.client.HTTPConnection(address, timeout=120)
    count = 0
    try:
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        if response.status != 200:
            raise BenchmarkError(f"the server answered {response.status}: {response.read(300)!r}")
        while line := response.readline():
            if line.startswith(b"data: {"):
                count = json.loads(line[6:]).get("timings", {}).get("predicted_n", count)
    finally:
        connection.close()
    return count


def parallel_gap(pairs: int) -> list[Figure]:
    """The longest gap between two tokens of one stream while another's long prompt is read, against what is promised:
    three times its usual gap and one slice of the prompt. The usual gap is its median alone; the slice is the one that
    was read in that gap, because with 6,000 tokens before it a slice takes four times as long as the first one.
    """
    tries = max(3, pairs // 6)
    ratios: list[float] = []
    longest: list[float] = []
    limits: list[float] = []
    options = LoadOptions(n_ctx=8192, n_cells=16_384, n_seq_max=2)
    with Speaker(options) as speaker:
        for number in range(tries):
            gap, limit = _gap(speaker, number)
            ratios.append(gap / limit)
            longest.append(gap)
            limits.append(limit)
    ratio = median_interval(ratios)
    note = (
        f"longest gap {statistics.median(longest) * 1e3:.0f} ms, promised {statistics.median(limits) * 1e3:.0f} ms, "
        f"95 % [{ratio.low:.2f}, {ratio.high:.2f}], {tries} prompts of {LONG_TOKENS} tokens"
    )
    return [Figure("parallel_gap", ratio.value, "ratio", note, at_most=1.0, low=ratio.low, high=ratio.high)]


def _gap(speaker: Speaker, number: int) -> tuple[float, float]:
    """The longest gap while the prompt is read, and what is promised."""
    usual = threading.Event()

    def enough(event: Event, heard: Heard) -> None:
        if len(heard.token_ids) >= 100 or heard.ended:
            usual.set()

    # Greedily, a small model goes on and on; it is stopped when the prompt has been read.
    question = asking(f"Write a very long story about {TOPICS[number % len(TOPICS)]}, with many chapters.")
    call, writer = speaker.start(question, Sampling(temperature=0.0), f"writer-{number}", enough)
    if not usual.wait(PATIENCE_S) or writer.ended:
        raise BenchmarkError("the stream ended before it was disturbed")
    text = prose(random.Random(number), LONG_TOKENS * 10 // 12)
    reading, reader = speaker.start(
        asking(text, f"{number} is the number of this letter."), Sampling(max_tokens=1), f"reader-{number}"
    )
    reading.result(PATIENCE_S)
    call.cancel()
    call.result(PATIENCE_S)
    times = [at for at, _ in writer.deltas]
    read = [at for at, _ in reader.progress]
    if writer.facts is None or writer.facts.finish_reason != "stopped":
        raise BenchmarkError("the stream ended while the prompt was read")
    alone = [later - at for at, later in itertools.pairwise(times) if later < reader.asked]
    gaps = [(later - at, at) for at, later in itertools.pairwise(times) if reader.asked <= later and at <= read[-1]]
    longest, begun = max(gaps)
    slices = [later - at for at, later in itertools.pairwise(read) if at <= begun + longest and begun <= later]
    return longest, 3 * statistics.median(alone) + statistics.median(slices)
