"""The sampler chain of one reply, built in C once: penalties, top-k, top-p, min-p, temperature, draw.

Values out of range are brought into it here: llama.cpp asserts on some of them, and that would end the process.
"""

from __future__ import annotations

import math
import secrets

from app.engine.values import Sampling
from app.engine.worker.llama import api

_RANDOM = 0xFFFFFFFF  # LLAMA_DEFAULT_SEED: llama.cpp would draw its own and the reply could not be repeated


class Sampler:
    """Owns a native chain; `close` frees it. `seed` is the one really used."""

    def __init__(self, sampling: Sampling, *, n_vocab: int, n_ctx: int, recent: list[int]) -> None:
        """`recent`: the prompt's tokens, whose end counts for the penalties like the reply's own."""
        self.seed = secrets.randbelow(_RANDOM) if sampling.seed is None else sampling.seed % _RANDOM
        chain_params = api.llama_sampler_chain_default_params()
        chain_params.no_perf = True
        self.handle = api.llama_sampler_chain_init(chain_params)
        repeat = sampling.repeat if math.isfinite(sampling.repeat) and sampling.repeat > 0 else 1.0
        frequency, presence = _finite(sampling.frequency, 0.0), _finite(sampling.presence, 0.0)
        last_n = min(sampling.repeat_last_n, n_ctx) if sampling.repeat_last_n >= 0 else n_ctx
        if last_n > 0 and (repeat != 1.0 or frequency != 0.0 or presence != 0.0):
            penalties = api.llama_sampler_init_penalties(n_vocab, last_n, repeat, frequency, presence)
            for token in recent[-last_n:]:
                api.llama_sampler_accept(penalties, token)
            self._add(penalties)
        temperature = _finite(sampling.temperature, 0.0)
        if temperature <= 0:
            self._add(api.llama_sampler_init_greedy())
            return
        if 0 < sampling.top_k < n_vocab:
            self._add(api.llama_sampler_init_top_k(sampling.top_k))
        if 0 <= sampling.top_p < 1:
            self._add(api.llama_sampler_init_top_p(sampling.top_p, 1))
        if 0 < sampling.min_p <= 1:
            self._add(api.llama_sampler_init_min_p(sampling.min_p, 1))
        if temperature != 1.0:
            self._add(api.llama_sampler_init_temp(temperature))
        self._add(api.llama_sampler_init_dist(self.seed))

    def _add(self, sampler: int) -> None:
        api.llama_sampler_chain_add(self.handle, sampler)

    def names(self) -> list[str]:
        """The steps of the chain, in order, by llama.cpp's names."""
        count = api.llama_sampler_chain_n(self.handle)
        return [api.llama_sampler_name(api.llama_sampler_chain_get(self.handle, i)).decode() for i in range(count)]

    def close(self) -> None:
        """Free the chain; a second call does nothing."""
        if self.handle:
            api.llama_sampler_free(self.handle)
            self.handle = None


def _finite(value: float, otherwise: float) -> float:
    return value if math.isfinite(value) else otherwise
