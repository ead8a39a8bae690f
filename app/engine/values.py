"""Frozen data about models and generation that every side may read: window, command line, services, both processes.

Only values: no I/O, no behaviour beyond derived numbers. The fields travel over the wire as they are (protocol.py).
"""

from __future__ import annotations

from typing import Any

import msgspec

TemplateOptions = dict[str, Any]

THINKING_TAGS = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<seed:think>", "</seed:think>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("[THINK]", "[/THINK]"),
)
"""What reasoning models write around their thinking."""


class Sampling(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the next token is drawn. The chain in llama.cpp: penalties, top-k, top-p, min-p, temperature, in this order.

    `seed` None draws a fresh one, which is reported back. `temperature` 0 is greedy. `top_k` 0, `top_p` 1, `min_p` 0
    and `repeat` 1 switch their step off. `max_tokens` 0 means: until the model ends or the window is full.
    """

    temperature: float = 0.7
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    repeat: float = 1.0
    repeat_last_n: int = 64
    frequency: float = 0.0
    presence: float = 0.0
    seed: int | None = None
    max_tokens: int = 0


class PromptMessage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message as the chat template sees it.

    `token_ids` are the tokens that were sampled for this very text, usable only when `tokenizer` (a hash) is that of
    the loaded model; they are spliced into the prompt instead of tokenising the text again.
    """

    role: str
    content: str
    thinking: str = ""
    token_ids: list[int] = []
    tokenizer: str = ""


class GenerateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One reply to be written. `sequence` names the conversation: the same name finds its KV cache again.

    `continue_final` leaves the last (assistant) message open, so that its text is continued.
    """

    sequence: str
    messages: list[PromptMessage]
    sampling: Sampling = Sampling()
    stop: list[str] = []
    template_options: TemplateOptions = {}
    continue_final: bool = False


class LoadOptions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a model is loaded. 0 for `n_ctx` means min(trained length, 8192); 0 for threads means the physical cores."""

    n_ctx: int = 0
    n_batch: int = 512
    n_ubatch: int = 512
    n_threads: int = 0
    n_gpu_layers: int = -1
    type_k: str = "f16"
    type_v: str = "f16"
    use_mmap: bool = True
    use_mlock: bool = False
    n_seq_max: int = 1


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A compute device as ggml reports it. `kind` is cpu, gpu, igpu or accel; memory in bytes (0 = not reported)."""

    name: str
    description: str
    kind: str
    memory_free_bytes: int
    memory_total_bytes: int


class LoadedModel(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a model once it is loaded. `tokenizer` is a hash of the vocabulary, stable across processes."""

    path: str
    name: str
    architecture: str
    description: str
    size_bytes: int
    n_params: int
    n_ctx: int
    n_ctx_train: int
    n_vocab: int
    n_layer: int
    n_gpu_layers: int
    n_threads: int
    tokenizer: str
    has_template: bool
    can_think: bool
    load_s: float


class EngineInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The engine's own identity: versions, build, devices, and the model it holds, if any."""

    llama_cpp: str
    llama_cpp_build: str
    system_info: str
    devices: list[Device]
    supports_gpu_offload: bool
    model: LoadedModel | None


class GenerationFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What one generation measured. Seconds are wall time in the engine process.

    `prompt_tokens` counts the whole prompt, `cached_tokens` the part of it taken from the KV cache. `ttft_s` runs from
    the arrival of the command to the first sampled token. `finish_reason`: stop (end token or stop string), length
    (max_tokens or the window is full), stopped (asked to).
    """

    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    prompt_s: float
    decode_s: float
    ttft_s: float
    seed: int
    finish_reason: str

    @property
    def tokens_per_s(self) -> float:
        """Decode speed: tokens after the first one over the time they took; 0 when there is no second token."""
        return (self.completion_tokens - 1) / self.decode_s if self.completion_tokens > 1 and self.decode_s > 0 else 0.0


class ModelFile(msgspec.Struct, frozen=True, kw_only=True):
    """A GGUF file of the library. `id` is the row's id; `fingerprint` is cheap (header, size, sampled blocks)."""

    id: str
    path: str
    name: str
    architecture: str
    quantization: str
    size_bytes: int
    n_params: int
    n_ctx_train: int
    fingerprint: str
    is_starter: bool = False
    license: str = ""
    problem: str = ""
