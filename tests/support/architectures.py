"""Headers of models of every kind of memory, in any size: files of the right length that hold nothing but a header.

llama.cpp loads them, with weights that are all zero: what is measured with them is how many bytes it asks for. A file
is sparse and takes no more of the disk than its header, however large the model is.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

from tests.support.gguf_writer import string, typed
from tests.support.tiny_models import MERGES, byte_characters

ALIGNMENT = 32
F32, Q8_0, Q4_K, Q6_K = 0, 8, 12, 14

Tensor = tuple[str, tuple[int, ...], int]


@dataclass(frozen=True)
class Shape:
    """The numbers that two models of one architecture differ in. `kind` is the type of the large tensors."""

    n_layer: int = 4
    n_embd: int = 256
    n_head: int = 8
    n_head_kv: int = 2
    head: int = 32
    n_ff: int = 512
    n_vocab: int = 1024
    n_ctx: int = 32768
    window: int = 128
    n_expert: int = 8
    n_expert_used: int = 2
    n_ff_expert: int = 256
    kind: int = Q8_0


TINY = Shape()


@dataclass(frozen=True)
class Made:
    """A header: metadata without the tokenizer's, and the tensors. Shapes have the fastest dimension first."""

    metadata: dict[str, Any]
    tensors: list[Tensor]

    @property
    def architecture(self) -> str:
        return str(self.metadata["general.architecture"])


def _base(architecture: str, s: Shape, **values: Any) -> dict[str, Any]:
    keys = {
        "context_length": s.n_ctx,
        "embedding_length": s.n_embd,
        "block_count": s.n_layer,
        "feed_forward_length": s.n_ff,
        "attention.head_count": s.n_head,
        "attention.head_count_kv": s.n_head_kv,
        "attention.key_length": s.head,
        "attention.value_length": s.head,
        "attention.layer_norm_rms_epsilon": 1e-5,
        "rope.dimension_count": s.head,
    } | {name.replace("__", "."): value for name, value in values.items()}
    return {"general.architecture": architecture, "general.name": f"Bare {architecture}"} | {
        f"{architecture}.{name}": value for name, value in keys.items() if value is not None
    }


def _ends(s: Shape, *, output: bool = True) -> list[Tensor]:
    found: list[Tensor] = [
        ("token_embd.weight", (s.n_embd, s.n_vocab), s.kind),
        ("output_norm.weight", (s.n_embd,), F32),
    ]
    return [*found, ("output.weight", (s.n_embd, s.n_vocab), s.kind)] if output else found


def _attention(layer: int, s: Shape, *, norms: bool = False) -> list[Tensor]:
    at, q, kv = f"blk.{layer}.", s.n_head * s.head, s.n_head_kv * s.head
    found = [
        (f"{at}attn_norm.weight", (s.n_embd,), F32),
        (f"{at}attn_q.weight", (s.n_embd, q), s.kind),
        (f"{at}attn_k.weight", (s.n_embd, kv), s.kind),
        (f"{at}attn_v.weight", (s.n_embd, kv), s.kind),
        (f"{at}attn_output.weight", (q, s.n_embd), s.kind),
    ]
    if norms:
        found += [(f"{at}attn_q_norm.weight", (s.head,), F32), (f"{at}attn_k_norm.weight", (s.head,), F32)]
    return found


def _feed_forward(layer: int, s: Shape) -> list[Tensor]:
    at = f"blk.{layer}."
    return [
        (f"{at}ffn_norm.weight", (s.n_embd,), F32),
        (f"{at}ffn_gate.weight", (s.n_embd, s.n_ff), s.kind),
        (f"{at}ffn_up.weight", (s.n_embd, s.n_ff), s.kind),
        (f"{at}ffn_down.weight", (s.n_ff, s.n_embd), s.kind),
    ]


def _experts(layer: int, s: Shape, *, norm: bool = True) -> list[Tensor]:
    at = f"blk.{layer}."
    found: list[Tensor] = [(f"{at}ffn_norm.weight", (s.n_embd,), F32)] if norm else []
    return [
        *found,
        (f"{at}ffn_gate_inp.weight", (s.n_embd, s.n_expert), F32),
        (f"{at}ffn_gate_exps.weight", (s.n_embd, s.n_ff_expert, s.n_expert), s.kind),
        (f"{at}ffn_up_exps.weight", (s.n_embd, s.n_ff_expert, s.n_expert), s.kind),
        (f"{at}ffn_down_exps.weight", (s.n_ff_expert, s.n_embd, s.n_expert), s.kind),
    ]


def _shared_expert(layer: int, s: Shape) -> list[Tensor]:
    at = f"blk.{layer}."
    return [
        (f"{at}ffn_gate_shexp.weight", (s.n_embd, s.n_ff_expert), s.kind),
        (f"{at}ffn_up_shexp.weight", (s.n_embd, s.n_ff_expert), s.kind),
        (f"{at}ffn_down_shexp.weight", (s.n_ff_expert, s.n_embd), s.kind),
    ]


def _post_norms(layer: int, s: Shape) -> list[Tensor]:
    names = ("post_attention_norm", "post_ffw_norm")
    return [(f"blk.{layer}.{name}.weight", (s.n_embd,), F32) for name in names]


def llama(s: Shape = TINY) -> Made:
    """Full attention, grouped queries."""
    layers = [t for i in range(s.n_layer) for t in (*_attention(i, s), *_feed_forward(i, s))]
    return Made(_base("llama", s), [*_ends(s), *layers])


def mixtral(s: Shape = TINY) -> Made:
    """A llama with experts."""
    s = replace(s, n_ff=s.n_ff_expert)
    layers = [t for i in range(s.n_layer) for t in (*_attention(i, s), *_experts(i, s))]
    return Made(_base("llama", s, expert_count=s.n_expert, expert_used_count=s.n_expert_used), [*_ends(s), *layers])


def qwen3moe(s: Shape = TINY) -> Made:
    """Many small experts."""
    layers = [t for i in range(s.n_layer) for t in (*_attention(i, s, norms=True), *_experts(i, s))]
    values = {"expert_feed_forward_length": s.n_ff_expert, "expert_count": s.n_expert}
    return Made(_base("qwen3moe", s, expert_used_count=s.n_expert_used, **values), [*_ends(s), *layers])


def gemma2(s: Shape = TINY) -> Made:
    """Every other layer sees a window."""
    values = {"attention.sliding_window": s.window, "attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0}
    layers = [t for i in range(s.n_layer) for t in (*_attention(i, s), *_feed_forward(i, s), *_post_norms(i, s))]
    return Made(_base("gemma2", s, **values), [*_ends(s, output=False), *layers])


def gemma3(s: Shape = TINY) -> Made:
    """Five layers with a window, then a full one."""
    layers = [
        t for i in range(s.n_layer) for t in (*_attention(i, s, norms=True), *_feed_forward(i, s), *_post_norms(i, s))
    ]
    return Made(_base("gemma3", s, attention__sliding_window=s.window), [*_ends(s, output=False), *layers])


def gemma3n(s: Shape = TINY) -> Made:
    """Windows, and layers from the twentieth on that use the cache of those before them."""
    altup, rank, small = 4, 64, 256
    tensors = [
        *_ends(s, output=False),
        ("altup_proj.weight", (s.n_embd, s.n_embd, altup - 1), s.kind),
        ("altup_unembd_proj.weight", (s.n_embd, s.n_embd, altup - 1), s.kind),
        ("per_layer_token_embd.weight", (small * s.n_layer, s.n_vocab), s.kind),
        ("per_layer_model_proj.weight", (s.n_embd, small * s.n_layer), s.kind),
        ("per_layer_proj_norm.weight", (small,), F32),
    ]
    for i in range(s.n_layer):
        at = f"blk.{i}."
        tensors += [*_attention(i, s, norms=True), *_feed_forward(i, s), *_post_norms(i, s)]
        tensors += [
            (f"{at}inp_gate.weight", (s.n_embd, small), s.kind),
            (f"{at}proj.weight", (small, s.n_embd), s.kind),
            (f"{at}post_norm.weight", (s.n_embd,), F32),
            (f"{at}altup_correct_coef.weight", (altup, altup), F32),
            (f"{at}altup_correct_scale.weight", (s.n_embd,), F32),
            (f"{at}altup_predict_coef.weight", (altup, altup * altup), F32),
            (f"{at}altup_router.weight", (s.n_embd, altup), F32),
            (f"{at}altup_router_norm.weight", (s.n_embd,), F32),
            (f"{at}laurel_l.weight", (s.n_embd, rank), s.kind),
            (f"{at}laurel_r.weight", (rank, s.n_embd), s.kind),
            (f"{at}laurel_post_norm.weight", (s.n_embd,), F32),
        ]
    values = {"attention.sliding_window": s.window, "embedding_length_per_layer_input": small}
    return Made(_base("gemma3n", s, **values), tensors)


def gpt_oss(s: Shape = TINY) -> Made:
    """Experts, and every other layer sees a window."""
    tensors = _ends(s)
    for i in range(s.n_layer):
        at, q, kv = f"blk.{i}.", s.n_head * s.head, s.n_head_kv * s.head
        tensors += [*_attention(i, s), *_experts(i, s, norm=False)]
        tensors += [
            (f"{at}post_attention_norm.weight", (s.n_embd,), F32),
            (f"{at}attn_sinks.weight", (s.n_head,), F32),
            (f"{at}attn_q.bias", (q,), F32),
            (f"{at}attn_k.bias", (kv,), F32),
            (f"{at}attn_v.bias", (kv,), F32),
            (f"{at}attn_output.bias", (s.n_embd,), F32),
            (f"{at}ffn_gate_inp.bias", (s.n_expert,), F32),
            (f"{at}ffn_gate_exps.bias", (s.n_ff_expert, s.n_expert), F32),
            (f"{at}ffn_up_exps.bias", (s.n_ff_expert, s.n_expert), F32),
            (f"{at}ffn_down_exps.bias", (s.n_embd, s.n_expert), F32),
        ]
    values = {"expert_feed_forward_length": s.n_ff_expert, "attention.sliding_window": s.window}
    counts = {"expert_count": s.n_expert, "expert_used_count": s.n_expert_used}
    return Made(_base("gpt-oss", s, **values, **counts), tensors)


def deepseek2(s: Shape = TINY) -> Made:
    """Multi-head latent attention: one compressed key a token, and no values; the first layer without experts."""
    rank, q_rank, rope, nope, value = 512, 1536, 64, 128, 128
    tensors = _ends(s)
    for i in range(s.n_layer):
        at = f"blk.{i}."
        tensors += [
            (f"{at}attn_norm.weight", (s.n_embd,), F32),
            (f"{at}attn_q_a.weight", (s.n_embd, q_rank), s.kind),
            (f"{at}attn_q_a_norm.weight", (q_rank,), F32),
            (f"{at}attn_q_b.weight", (q_rank, s.n_head * (nope + rope)), s.kind),
            (f"{at}attn_kv_a_mqa.weight", (s.n_embd, rank + rope), s.kind),
            (f"{at}attn_kv_a_norm.weight", (rank,), F32),
            (f"{at}attn_k_b.weight", (nope, rank, s.n_head), s.kind),
            (f"{at}attn_v_b.weight", (rank, value, s.n_head), s.kind),
            (f"{at}attn_output.weight", (s.n_head * value, s.n_embd), s.kind),
        ]
        tensors += _feed_forward(i, s) if i == 0 else [*_experts(i, s), *_shared_expert(i, s)]
    values = {
        "attention.head_count_kv": 1,
        "attention.key_length": rank + rope,
        "attention.value_length": rank,
        "attention.key_length_mla": nope + rope,
        "attention.value_length_mla": value,
        "attention.kv_lora_rank": rank,
        "attention.q_lora_rank": q_rank,
        "rope.dimension_count": rope,
        "leading_dense_block_count": 1,
        "expert_feed_forward_length": s.n_ff_expert,
        "expert_count": s.n_expert,
        "expert_used_count": s.n_expert_used,
        "expert_shared_count": 1,
        "expert_weights_scale": 1.0,
        "vocab_size": s.n_vocab,
    }
    return Made(_base("deepseek2", s, **values), tensors)


def _mamba_layer(layer: int, s: Shape, inner: int, state: int, rank: int, *, norms: bool) -> list[Tensor]:
    at = f"blk.{layer}."
    found = [
        (f"{at}attn_norm.weight", (s.n_embd,), F32),
        (f"{at}ssm_in.weight", (s.n_embd, 2 * inner), s.kind),
        (f"{at}ssm_conv1d.weight", (4, inner), F32),
        (f"{at}ssm_conv1d.bias", (inner,), F32),
        (f"{at}ssm_x.weight", (inner, rank + 2 * state), s.kind),
        (f"{at}ssm_dt.weight", (rank, inner), s.kind),
        (f"{at}ssm_dt.bias", (inner,), F32),
        (f"{at}ssm_a", (state, inner), F32),
        (f"{at}ssm_d", (inner,), F32),
        (f"{at}ssm_out.weight", (inner, s.n_embd), s.kind),
    ]
    if norms:
        found += [(f"{at}ssm_dt_norm.weight", (rank,), F32)]
        found += [(f"{at}ssm_{name}_norm.weight", (state,), F32) for name in "bc"]
    return found


def _mamba_values(inner: int, state: int, rank: int) -> dict[str, int]:
    return {"ssm.conv_kernel": 4, "ssm.inner_size": inner, "ssm.state_size": state, "ssm.time_step_rank": rank}


def mamba(s: Shape = TINY) -> Made:
    """No attention at all: one state a sequence."""
    inner, state, rank = 2 * s.n_embd, 16, 32
    layers = [t for i in range(s.n_layer) for t in _mamba_layer(i, s, inner, state, rank, norms=False)]
    none = {"attention.head_count": 0, "attention.head_count_kv": 0, "attention.key_length": None}
    values = none | {"attention.value_length": None, "feed_forward_length": 0, "rope.dimension_count": None}
    return Made(_base("mamba", s, **values, **_mamba_values(inner, state, rank)), [*_ends(s), *layers])


def jamba(s: Shape = TINY) -> Made:
    """Recurrent layers and layers with attention in turn."""
    inner, state, rank = 2 * s.n_embd, 16, 32
    tensors = _ends(s)
    for i in range(s.n_layer):
        mixing = _attention(i, s) if i % 2 else _mamba_layer(i, s, inner, state, rank, norms=True)
        tensors += [*mixing, *_feed_forward(i, s)]
    heads = [s.n_head_kv if i % 2 else 0 for i in range(s.n_layer)]
    values = _mamba_values(inner, state, rank)
    return Made(_base("jamba", s, attention__head_count_kv=heads, **values), tensors)


def lfm2(s: Shape = TINY) -> Made:
    """Short convolutions, and a layer with attention now and then."""
    tensors = [*_ends(s, output=False)]
    tensors[1] = ("token_embd_norm.weight", (s.n_embd,), F32)
    heads = [s.n_head_kv if i % 3 == 2 else 0 for i in range(s.n_layer)]
    for i in range(s.n_layer):
        at = f"blk.{i}."
        if heads[i]:
            tensors += _attention(i, s, norms=True)
        else:
            tensors += [
                (f"{at}attn_norm.weight", (s.n_embd,), F32),
                (f"{at}shortconv.conv.weight", (3, s.n_embd), F32),
                (f"{at}shortconv.in_proj.weight", (s.n_embd, 3 * s.n_embd), s.kind),
                (f"{at}shortconv.out_proj.weight", (s.n_embd, s.n_embd), s.kind),
            ]
        tensors += _feed_forward(i, s)
    values = {"attention.head_count_kv": heads, "shortconv.l_cache": 3, "vocab_size": s.n_vocab}
    return Made(_base("lfm2", s, **values, **{"attention.key_length": None, "attention.value_length": None}), tensors)


def qwen3next(s: Shape = TINY) -> Made:
    """Three layers with a linear attention, then a full one; experts everywhere."""
    state, groups, rank = 128, 4, 8
    inner, keys = state * rank, state * groups
    tensors = _ends(s)
    for i in range(s.n_layer):
        at = f"blk.{i}."
        if (i + 1) % 4 == 0:
            q = (f"{at}attn_q.weight", (s.n_embd, 2 * s.n_head * s.head), s.kind)
            tensors += [q if t[0] == q[0] else t for t in _attention(i, s, norms=True)]
        else:
            tensors += [
                (f"{at}attn_norm.weight", (s.n_embd,), F32),
                (f"{at}attn_qkv.weight", (s.n_embd, 2 * keys + inner), s.kind),
                (f"{at}attn_gate.weight", (s.n_embd, inner), s.kind),
                (f"{at}ssm_conv1d.weight", (4, 2 * keys + inner), F32),
                (f"{at}ssm_dt.bias", (rank,), F32),
                (f"{at}ssm_a", (rank,), F32),
                (f"{at}ssm_ba.weight", (s.n_embd, 2 * rank), s.kind),
                (f"{at}ssm_norm.weight", (state,), F32),
                (f"{at}ssm_out.weight", (inner, s.n_embd), s.kind),
            ]
        tensors += [(f"{at}post_attention_norm.weight", (s.n_embd,), F32), *_experts(i, s, norm=False)]
        tensors += [(f"{at}ffn_gate_inp_shexp.weight", (s.n_embd,), F32), *_shared_expert(i, s)]
    values = _mamba_values(inner, state, rank) | {"ssm.group_count": groups, "expert_count": s.n_expert}
    values |= {"expert_used_count": s.n_expert_used, "expert_feed_forward_length": s.n_ff_expert}
    values |= {"expert_shared_feed_forward_length": s.n_ff_expert}
    return Made(_base("qwen3next", s, **values), tensors)


MAKERS: dict[str, Callable[[Shape], Made]] = {
    "llama": llama,
    "mixtral": mixtral,
    "qwen3moe": qwen3moe,
    "gemma2": gemma2,
    "gemma3": gemma3,
    "gemma3n": gemma3n,
    "gpt-oss": gpt_oss,
    "deepseek2": deepseek2,
    "mamba": mamba,
    "jamba": jamba,
    "lfm2": lfm2,
    "qwen3next": qwen3next,
}


@functools.cache
def _tokenizer(n_vocab: int, token_bytes: int, n_merges: int) -> bytes:
    """The tokenizer's part of a header: a byte-level BPE of so many tokens, the made-up ones `token_bytes` long."""
    merges = [f"x{number:06d} y{number:06d}" for number in range(n_merges)]
    known = ["<|endoftext|>", "<|im_end|>", *byte_characters(), *(merge.replace(" ", "") for merge in MERGES)]
    tokens = [*known, *(f"x{number:0{token_bytes - 1}d}" for number in range(n_vocab - len(known)))]
    values: dict[str, Any] = {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": tokens[:n_vocab],
        "tokenizer.ggml.merges": [*MERGES, *merges],
        "tokenizer.ggml.bos_token_id": 0,
        "tokenizer.ggml.eos_token_id": 1,
        "tokenizer.ggml.add_bos_token": False,
    }
    types = struct.pack("<IIQ", 9, 5, n_vocab) + struct.pack(f"<{n_vocab}i", 3, 3, *[1] * (n_vocab - 2))
    return (
        b"".join(string(key) + typed(value) for key, value in values.items())
        + string("tokenizer.ggml.token_type")
        + types
    )


_TOKENIZER_KEYS = 8


def header_of(made: Made, *, n_vocab: int, token_bytes: int = 8, n_merges: int = 0) -> tuple[bytes, int]:
    """The header's bytes and the size of the whole file."""
    metadata: Mapping[str, Any] = made.metadata
    head = b"GGUF" + struct.pack("<IQQ", 3, len(made.tensors), len(metadata) + _TOKENIZER_KEYS)
    head += b"".join(string(key) + typed(value) for key, value in metadata.items())
    parts, offset = [head, _tokenizer(n_vocab, token_bytes, n_merges)], 0
    for name, shape, kind in made.tensors:
        parts.append(string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset))
        offset += -(-size_of(shape, kind) // ALIGNMENT) * ALIGNMENT
    whole = b"".join(parts)
    whole += b"\0" * (-len(whole) % ALIGNMENT)
    return whole, len(whole) + offset


def size_of(shape: Sequence[int], kind: int) -> int:
    """Bytes of a tensor."""
    block, block_bytes = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
    elements = 1
    for length in shape:
        elements *= length
    return elements // block * block_bytes


def write(
    path: Path, architecture: str, shape: Shape = TINY, *, token_bytes: int = 8, n_merges: int = 0, n_ahead: int = 0
) -> Path:
    """A loadable file of an architecture, its weights a hole. `n_ahead` layers for guessing ahead are only declared."""
    made = MAKERS[architecture](shape)
    if n_ahead:
        more = {"block_count": shape.n_layer + n_ahead, "nextn_predict_layers": n_ahead}
        made = Made(made.metadata | {f"{architecture}.{name}": value for name, value in more.items()}, made.tensors)
    head, size = header_of(made, n_vocab=shape.n_vocab, token_bytes=token_bytes, n_merges=n_merges)
    with path.open("wb") as file:
        file.write(head)
        file.truncate(size)
    return path
