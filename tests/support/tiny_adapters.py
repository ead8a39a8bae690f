"""Tiny LoRA adapters for the tiny models, with random values and an effect that can be computed; and wrong ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from tests.support.tiny_models import HEAD, N_EMBD, N_FF, N_HEAD, N_HEAD_KV, N_LAYER

RANK, ALPHA = 4, 8.0
TARGETS = ("attn_q", "attn_v", "ffn_down")
_SIDES = {  # outputs, inputs
    "attn_q": (N_HEAD * HEAD, N_EMBD),
    "attn_k": (N_HEAD_KV * HEAD, N_EMBD),
    "attn_v": (N_HEAD_KV * HEAD, N_EMBD),
    "attn_output": (N_EMBD, N_HEAD * HEAD),
    "ffn_up": (N_FF, N_EMBD),
    "ffn_down": (N_EMBD, N_FF),
}

Array = np.ndarray[Any, Any]
Pairs = Mapping[str, tuple[Array, Array]]


def pairs(*, targets: Sequence[str] = TARGETS, seed: int = 7, strength: float = 0.3, vocabulary: int = 0) -> Pairs:
    """A and B for some tensors of each layer; `vocabulary`: the rows of the embedding, to change that too."""
    random = np.random.default_rng(seed)

    def draw(*shape: int) -> Array:
        return random.normal(0, strength, shape).astype(np.float32)

    found = {
        f"blk.{layer}.{target}.weight": (draw(RANK, _SIDES[target][1]), draw(_SIDES[target][0], RANK))
        for layer in range(N_LAYER)
        for target in targets
    }
    if vocabulary:
        found["token_embd.weight"] = draw(vocabulary, RANK), draw(N_EMBD, RANK)
    return found


def deltas(made: Pairs, scale: float = 1.0) -> dict[str, Array]:
    """What the adapter adds to each tensor, as it would be merged into the model."""
    return {
        name: scale * ALPHA / RANK * (a @ b.T if name == "token_embd.weight" else b @ a)
        for name, (a, b) in made.items()
    }


def write(path: Path, made: Pairs | None = None, *, architecture: str = "llama", **metadata: Any) -> Path:
    """The file of an adapter. Metadata with `general__type` for `general.type`, and so on; None leaves a key out."""
    writer = gguf.GGUFWriter(path, architecture)
    values: dict[str, Any] = {
        "general__type": "adapter",
        "adapter__type": "lora",
        "adapter__lora__alpha": ALPHA,
        "general__name": f"Tiny {path.stem}",
        **metadata,
    }
    for key, value in values.items():
        name = key.replace("__", ".")
        if isinstance(value, str):
            writer.add_string(name, value)
        elif isinstance(value, float):
            writer.add_float32(name, value)
        elif isinstance(value, list):
            writer.add_array(name, value)
    for name, (a, b) in (pairs() if made is None else made).items():
        writer.add_tensor(f"{name}.lora_a", a)
        writer.add_tensor(f"{name}.lora_b", b)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
