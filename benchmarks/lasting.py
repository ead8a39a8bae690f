"""Conversations that last: what is processed twice in a hundred turns, what a window that overflows costs, and how fast
tokens are written at the end of a long one.
"""

from __future__ import annotations

import json
import random
import statistics

from app.engine.values import GenerateRequest, LoadOptions, PromptMessage, Sampling
from benchmarks.figures import Figure, ratio_figure, run_pairs
from benchmarks.processes import BenchmarkError, Peer
from benchmarks.speaking import PATIENCE_S, SYSTEM, Heard, Speaker, asking, chatml, peer_options
from benchmarks.texts import prose

TURNS = 100
REPLY_TOKENS = 12
DEPTH = 8000
DEEP_TOKENS = 100
WINDOW = 1024
MIN_SHIFTS = 3


class _Talk:
    """One conversation as the application holds it: replies go back with their tokens. Knows what the cache holds."""

    def __init__(self, speaker: Speaker, name: str, seed: int) -> None:
        self._speaker, self._name = speaker, name
        self.source = random.Random(seed)
        self.messages = [PromptMessage(role="system", content=SYSTEM)]

    def ask(self, words: int, *, shift: bool = False) -> Heard:
        """The next turn, or the reply once more where the last message is a question."""
        if self.messages[-1].role != "user":
            self.messages.append(PromptMessage(role="user", content=prose(self.source, words)))
        sampling = Sampling(seed=self.source.randrange(1 << 30), max_tokens=REPLY_TOKENS)
        request = GenerateRequest(sequence=self._name, messages=self.messages, sampling=sampling, shift=shift)
        call, heard = self._speaker.ask(request)
        call.result(PATIENCE_S)
        tokenizer = self._speaker.model.tokenizer
        said = PromptMessage(role="assistant", content=heard.text, token_ids=heard.token_ids, tokenizer=tokenizer)
        self.messages = [*self.messages, said]
        return heard


def turns_100(pairs: int) -> list[Figure]:
    """Tokens processed again although they come before the point of change, in 100 turns with regenerate, edit and
    switches between branches. What comes before it is all that two neighbouring prompts, with their replies, share.
    """
    with Speaker(LoadOptions(n_ctx=8192)) as speaker:
        talk = _Talk(speaker, "turns", 1)
        branches: list[list[PromptMessage]] = []
        needless = processed = after = 0
        held: list[PromptMessage] = []
        for _ in range(TURNS):
            action = talk.source.choices(("ask", "regenerate", "edit", "branch"), (6, 2, 1, 1))[0]
            questions = [at for at, message in enumerate(talk.messages) if message.role == "user"]
            if action != "ask" and questions:
                branches.append(talk.messages)
                if action == "branch":
                    talk.messages = talk.source.choice(branches)
                else:
                    at = questions[-1] if action == "regenerate" else talk.source.choice(questions[-4:])
                    talk.messages = talk.messages[: at + (action == "regenerate")]
            heard = talk.ask(10)
            started = heard.started
            assert started is not None
            same = _same(held, talk.messages[:-1])
            # Up to the end of the last message that both have, but for the token that ended it and was never read.
            spans = speaker.client.measure(talk.messages[:-1]).result(PATIENCE_S).spans
            kept = max(sum(spans[:same]) - 1, 0)
            needless += max(kept - started.cached_tokens, 0)
            processed += started.prompt_tokens - started.cached_tokens
            after += started.prompt_tokens - kept
            held = list(talk.messages)
    note = f"{processed} tokens processed in {TURNS} turns, {after} of them new or after the point of change"
    return [Figure("turns_100", needless, "tokens", note, at_most=0.0)]


def _same(one: list[PromptMessage], other: list[PromptMessage]) -> int:
    """How many messages both begin with."""
    at = 0
    while at < min(len(one), len(other)) and one[at] == other[at]:
        at += 1
    return at


def overflow(pairs: int) -> list[Figure]:
    """Tokens processed for the turn after the oldest ones left the window / those that are new in its prompt."""
    with Speaker(LoadOptions(n_ctx=WINDOW)) as speaker:
        talk = _Talk(speaker, "overflow", 2)
        limit = speaker.model.n_ctx - 4 * REPLY_TOKENS
        ratios: list[float] = []
        seconds: list[float] = []
        shifted: list[int] = []
        while len(ratios) < max(MIN_SHIFTS, pairs // 6):
            question = PromptMessage(role="user", content=prose(talk.source, 40))
            before = speaker.count(talk.messages)
            talk.messages.append(question)
            new = speaker.count(talk.messages) - before
            rolled = speaker.count(talk.messages) > limit
            while speaker.count(talk.messages) > limit - WINDOW // 4 * rolled:
                del talk.messages[1:3]
            heard = talk.ask(0, shift=True)
            if heard.facts is None:
                raise BenchmarkError("a reply did not finish")
            if rolled:
                # what closed the reply before was drawn, but never read, and so is new as well
                ratios.append((heard.facts.prompt_tokens - heard.facts.cached_tokens) / (new + _CLOSING))
                seconds.append(heard.first_token_s)
                shifted.append(heard.facts.shifted_tokens)
    note = (
        f"worst of {len(ratios)} overflows of a window of {WINDOW}; {statistics.median(shifted):.0f} tokens shifted, "
        f"first token after {statistics.median(seconds) * 1e3:.0f} ms"
    )
    return [Figure("overflow", max(ratios), "ratio", note, at_most=1.0)]


_CLOSING = 8  # the token that ended the reply, its line end, and the opening of the next reply


def decode_deep(pairs: int) -> list[Figure]:
    """Decode speed with 8,000 tokens before / a bare loop on the low-level API at the same depth."""
    sampling = Sampling(temperature=0.0, max_tokens=DEEP_TOKENS)
    with (
        Speaker(LoadOptions(n_ctx=8192)) as speaker,
        Peer("benchmarks.peers.bare", json.dumps(peer_options(speaker))) as bare,
    ):
        bare.read()
        messages = _deep(speaker)
        prompt = chatml(messages)
        settings = {"temperature": 0.0}

        def engine() -> float:
            heard = speaker.say(messages, sampling, "deep")
            if len(heard.token_ids) < DEEP_TOKENS:
                raise BenchmarkError(f"the reply ended after {len(heard.token_ids)} tokens")
            return heard.tokens_per_s

        def floor() -> float:
            answer = bare.ask(prompt=prompt, tokens=DEEP_TOKENS, seed=1, sampling=settings, keep=True)
            return (DEEP_TOKENS - 1) / float(answer["decode_s"])

        engine(), floor()  # both have read the prompt
        paired = run_pairs(engine, floor, pairs)
        more = f"{DEEP_TOKENS} tokens behind {speaker.count(messages)}, {speaker.model.n_threads} threads"
        return [ratio_figure("decode_deep", paired, "tokens/s", at_least=0.97, more=more)]


def _deep(speaker: Speaker) -> list[PromptMessage]:
    """A prompt of about DEPTH tokens whose reply, greedily, is long enough."""
    for seed in range(8):
        words = DEPTH
        while True:
            text = prose(random.Random(seed), words)
            messages = asking(f"{text}\n\nTell me a very long story about all of this, in many chapters.")
            size = speaker.count(messages)
            if size <= DEPTH:
                break
            words -= max((size - DEPTH) * 10 // 12, 8)
        heard = speaker.say(messages, Sampling(temperature=0.0, max_tokens=DEEP_TOKENS), f"deep-{seed}")
        if len(heard.token_ids) == DEEP_TOKENS:
            return messages
    raise BenchmarkError("no prompt gives a reply that is long enough")
