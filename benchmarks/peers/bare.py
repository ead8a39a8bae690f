"""The floor: llama.cpp through its low-level API in a loop with nothing else, with the engine's own sampler chain.

A question {prompt, tokens, seed, sampling} clears the cache, processes the prompt in slices of n_batch, samples that
many tokens without looking at them, and answers {prompt_tokens, prompt_s, decode_s}: `prompt_s` runs to the first
sampled token, `decode_s` from there to the last one. With `keep`, a prompt that was read for the question before stays
in the cache but for its last token.

A question {prompts, tokens, seed, sampling} writes on behind all prompts at once, a token of each in every batch, and
answers {total_s} for all of it; their beginnings stay in the cache from question to question.
"""

from __future__ import annotations

import ctypes
import json
import sys
import time
from typing import Any

from benchmarks.peers.answering import answer_lines, keep_stdout


class Bare:
    """Model, context and vocabulary of the loop."""

    def __init__(self, options: dict[str, Any]) -> None:
        import llama_cpp

        self.api = llama_cpp
        llama_cpp.llama_backend_init()
        model_params = llama_cpp.llama_model_default_params()
        model_params.n_gpu_layers = options["n_gpu_layers"]
        self.model = llama_cpp.llama_model_load_from_file(options["model"].encode(), model_params)
        if not self.model:
            raise SystemExit("the model could not be loaded")
        context_params = llama_cpp.llama_context_default_params()
        context_params.n_ctx = options["n_ctx"]
        context_params.n_batch = context_params.n_ubatch = options["n_batch"]
        context_params.n_seq_max = options.get("n_parallel", 1)
        context_params.kv_unified = True
        context_params.n_threads = context_params.n_threads_batch = options["n_threads"]
        self.n_batch = options["n_batch"]
        self.context = llama_cpp.llama_init_from_model(self.model, context_params)
        self.vocabulary = llama_cpp.llama_model_get_vocab(self.model)
        self.memory = llama_cpp.llama_get_memory(self.context)
        self.read: list[int] = []

    def tokens(self, text: str) -> Any:
        """The text as an array of token ids, special tokens parsed, none added."""
        data = text.encode()
        room = (self.api.llama_token * (len(data) + 8))()
        count = self.api.llama_tokenize(self.vocabulary, data, len(data), room, len(room), False, True)
        return (self.api.llama_token * count)(*room[:count])

    def chain(self, sampling: dict[str, Any], seed: int) -> Any:
        """The engine's chain for these settings; steps that would change nothing are left out."""
        api = self.api
        chain = api.llama_sampler_chain_init(api.llama_sampler_chain_default_params())
        if sampling["temperature"] <= 0:
            api.llama_sampler_chain_add(chain, api.llama_sampler_init_greedy())
            return chain
        api.llama_sampler_chain_add(chain, api.llama_sampler_init_top_k(sampling["top_k"]))
        api.llama_sampler_chain_add(chain, api.llama_sampler_init_top_p(sampling["top_p"], 1))
        api.llama_sampler_chain_add(chain, api.llama_sampler_init_min_p(sampling["min_p"], 1))
        api.llama_sampler_chain_add(chain, api.llama_sampler_init_temp(sampling["temperature"]))
        api.llama_sampler_chain_add(chain, api.llama_sampler_init_dist(seed))
        return chain

    def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        """One measured run."""
        return self.run_together(question) if "prompts" in question else self.run(question)

    def run_together(self, question: dict[str, Any]) -> dict[str, Any]:
        """All prompts at once."""
        api = self.api
        prompts = [list(self.tokens(prompt)) for prompt in question["prompts"]]
        chains = [self.chain(question["sampling"], question["seed"] + number) for number in range(len(prompts))]
        batch = api.llama_batch_init(len(prompts), 0, 1)
        if not self.read:
            self._read_beginnings(prompts)
        begun = time.perf_counter()
        for sequence, prompt in enumerate(prompts):
            if not api.llama_memory_seq_rm(self.memory, sequence, len(prompt) - 1, -1):
                raise SystemExit("the cache could not be cut")
        last = [prompt[-1] for prompt in prompts]
        for step in range(question["tokens"]):
            batch.n_tokens = len(prompts)
            for sequence, prompt in enumerate(prompts):
                batch.token[sequence], batch.pos[sequence] = last[sequence], len(prompt) - 1 + step
                batch.n_seq_id[sequence], batch.seq_id[sequence][0] = 1, sequence
                batch.logits[sequence] = True
            if api.llama_decode(self.context, batch):
                raise SystemExit("a batch could not be processed")
            last = [api.llama_sampler_sample(chain, self.context, at) for at, chain in enumerate(chains)]
        total_s = time.perf_counter() - begun
        api.llama_batch_free(batch)
        for chain in chains:
            api.llama_sampler_free(chain)
        return {"total_s": total_s}

    def _read_beginnings(self, prompts: list[list[int]]) -> None:
        batch = self.api.llama_batch_init(max(map(len, prompts)), 0, 1)
        for sequence, prompt in enumerate(prompts):
            batch.n_tokens = len(prompt)
            for at, token in enumerate(prompt):
                batch.token[at], batch.pos[at], batch.logits[at] = token, at, at == len(prompt) - 1
                batch.n_seq_id[at], batch.seq_id[at][0] = 1, sequence
            if self.api.llama_decode(self.context, batch):
                raise SystemExit("a prompt could not be processed")
        self.api.llama_batch_free(batch)
        self.read = [token for prompt in prompts for token in prompt]

    def run(self, question: dict[str, Any]) -> dict[str, Any]:
        """One prompt."""
        api, context = self.api, self.context
        prompt = self.tokens(question["prompt"])
        chain = self.chain(question["sampling"], question["seed"])
        known = len(prompt) - 1 if question.get("keep") and self.read == list(prompt) else 0
        if not known:
            api.llama_memory_clear(self.memory, True)
        elif not api.llama_memory_seq_rm(self.memory, 0, known, -1):
            raise SystemExit("the cache could not be cut")
        self.read = list(prompt)
        begun = time.perf_counter()
        for start in range(known, len(prompt), self.n_batch):
            part = (api.llama_token * min(self.n_batch, len(prompt) - start)).from_buffer(
                prompt, start * ctypes.sizeof(api.llama_token)
            )
            if api.llama_decode(context, api.llama_batch_get_one(part, len(part))):
                raise SystemExit("the prompt could not be processed")
        one = (api.llama_token * 1)()
        one[0] = api.llama_sampler_sample(chain, context, -1)
        read = time.perf_counter()
        batch = api.llama_batch_get_one(one, 1)
        for _ in range(question["tokens"] - 1):
            if api.llama_decode(context, batch):
                raise SystemExit("a token could not be processed")
            one[0] = api.llama_sampler_sample(chain, context, -1)
        written = time.perf_counter()
        api.llama_sampler_free(chain)
        return {"prompt_tokens": len(prompt), "prompt_s": read - begun, "decode_s": written - read}


def main() -> None:
    """Argument: the options as one JSON object."""
    out = keep_stdout()
    bare = Bare(json.loads(sys.argv[1]))
    answer_lines({"ready": True}, bare.answer, out)


if __name__ == "__main__":
    main()
