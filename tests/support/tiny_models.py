"""Tiny GGUF files with random weights, of every kind of memory that matters, and files that are no chat models.

They load in milliseconds and write nonsense; what is tested with them is bookkeeping, not language. The same seed
gives the same file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np

N_EMBD, N_HEAD, N_HEAD_KV, N_FF, N_LAYER = 64, 4, 2, 128, 4
N_CTX = 4096
WINDOW = 64
HEAD = N_EMBD // N_HEAD
SSM_CONV, SSM_INNER, SSM_STATE, SSM_RANK = 4, 128, 16, 4
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>")
MERGES = ("t h", "th e", "Ġ t", "Ġt he", "i n", "e r", "a n", "Ġ a", "o u", "Ġ w", "h e", "l l", "Ġ s", "o n")
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def byte_characters() -> list[str]:
    """The printable character that byte-level BPE writes for each byte (the table of GPT-2)."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = iter(range(256, 512))
    return [chr(byte if byte in plain else next(others)) for byte in range(256)]


class _Writer:
    def __init__(self, path: Path, architecture: str, seed: int = 1) -> None:
        self.path = path
        self.gguf = gguf.GGUFWriter(path, architecture)
        self._random = np.random.default_rng(seed)
        self.deltas: Mapping[str, np.ndarray[Any, Any]] = {}

    def tensor(self, name: str, *shape: int, scale: float = 0.1) -> None:
        """A random tensor; `shape` as numpy has it, the fastest dimension last."""
        values = self._random.normal(0, scale, shape) + self.deltas.get(name, 0.0)
        self.gguf.add_tensor(name, values.astype(np.float32))

    def ones(self, name: str, *shape: int) -> None:
        self.gguf.add_tensor(name, np.ones(shape, np.float32))

    def array(self, name: str, values: np.ndarray[Any, Any]) -> None:
        self.gguf.add_tensor(name, values.astype(np.float32))

    def finish(self) -> Path:
        self.gguf.write_header_to_file()
        self.gguf.write_kv_data_to_file()
        self.gguf.write_tensors_to_file()
        self.gguf.close()
        return self.path


def _bpe(writer: _Writer, special: Sequence[str], template: str | None) -> int:
    joined = [merge.replace(" ", "") for merge in MERGES]
    tokens = [*special, *byte_characters(), *joined]
    types = [gguf.TokenType.CONTROL] * len(special) + [gguf.TokenType.NORMAL] * (256 + len(joined))
    for number, token in enumerate(special):
        if "think" in token:
            types[number] = gguf.TokenType.USER_DEFINED
    out = writer.gguf
    out.add_tokenizer_model("gpt2")
    out.add_tokenizer_pre("gpt-2")
    out.add_token_list(tokens)
    out.add_token_types(types)
    out.add_token_merges(list(MERGES))
    out.add_bos_token_id(0)
    out.add_eos_token_id(special.index("<|im_end|>") if "<|im_end|>" in special else 0)
    out.add_add_bos_token(False)
    if template is not None:
        out.add_chat_template(template)
    return len(tokens)


def _spm(writer: _Writer, template: str | None) -> int:
    letters = [chr(code) for code in range(33, 127)]
    words = ["▁the", "▁a", "in", "er", "an", "th", "he", "▁t", "▁w", "ll", "▁"]
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *letters, *words]
    types = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL]
    types += [gguf.TokenType.BYTE] * 256 + [gguf.TokenType.NORMAL] * (len(letters) + len(words))
    scores = [0.0] * 3 + [0.0] * 256 + [-100.0] * len(letters) + [-float(i + 1) for i in range(len(words))]
    out = writer.gguf
    out.add_tokenizer_model("llama")
    out.add_tokenizer_pre("default")
    out.add_token_list(tokens)
    out.add_token_scores(scores)
    out.add_token_types(types)
    out.add_bos_token_id(1)
    out.add_eos_token_id(2)
    out.add_unk_token_id(0)
    out.add_add_bos_token(True)
    out.add_add_space_prefix(True)
    if template is not None:
        out.add_chat_template(template)
    return len(tokens)


def _shape(writer: _Writer, n_head_kv: int | list[int] = N_HEAD_KV) -> None:
    out = writer.gguf
    out.add_name(f"Tiny {writer.path.stem}")
    out.add_context_length(N_CTX)
    out.add_embedding_length(N_EMBD)
    out.add_block_count(N_LAYER)
    out.add_feed_forward_length(N_FF)
    out.add_head_count(N_HEAD)
    out.add_head_count_kv(n_head_kv)
    out.add_layer_norm_rms_eps(1e-5)


def _ends(writer: _Writer, n_vocab: int, *, output: bool = True) -> None:
    writer.tensor("token_embd.weight", n_vocab, N_EMBD, scale=1.0)
    writer.ones("output_norm.weight", N_EMBD)
    if output:
        writer.tensor("output.weight", n_vocab, N_EMBD, scale=0.3)


def _attention(writer: _Writer, prefix: str) -> None:
    writer.ones(f"{prefix}.attn_norm.weight", N_EMBD)
    writer.tensor(f"{prefix}.attn_q.weight", N_HEAD * HEAD, N_EMBD, scale=0.3)
    writer.tensor(f"{prefix}.attn_k.weight", N_HEAD_KV * HEAD, N_EMBD, scale=0.3)
    writer.tensor(f"{prefix}.attn_v.weight", N_HEAD_KV * HEAD, N_EMBD, scale=0.3)
    writer.tensor(f"{prefix}.attn_output.weight", N_EMBD, N_HEAD * HEAD, scale=0.3)


def _feed_forward(writer: _Writer, prefix: str) -> None:
    writer.ones(f"{prefix}.ffn_norm.weight", N_EMBD)
    writer.tensor(f"{prefix}.ffn_gate.weight", N_FF, N_EMBD)
    writer.tensor(f"{prefix}.ffn_up.weight", N_FF, N_EMBD)
    writer.tensor(f"{prefix}.ffn_down.weight", N_EMBD, N_FF)


def _ssm(writer: _Writer, prefix: str, *, norms: bool) -> None:
    if not norms:
        writer.ones(f"{prefix}.attn_norm.weight", N_EMBD)
    writer.tensor(f"{prefix}.ssm_in.weight", 2 * SSM_INNER, N_EMBD, scale=0.3)
    writer.tensor(f"{prefix}.ssm_conv1d.weight", SSM_INNER, SSM_CONV, scale=0.5)
    writer.tensor(f"{prefix}.ssm_conv1d.bias", SSM_INNER)
    writer.tensor(f"{prefix}.ssm_x.weight", SSM_RANK + 2 * SSM_STATE, SSM_INNER, scale=0.3)
    writer.tensor(f"{prefix}.ssm_dt.weight", SSM_INNER, SSM_RANK, scale=0.3)
    writer.tensor(f"{prefix}.ssm_dt.bias", SSM_INNER)
    writer.array(f"{prefix}.ssm_a", -np.tile(np.arange(1, SSM_STATE + 1, dtype=np.float32) / 8, (SSM_INNER, 1)))
    writer.ones(f"{prefix}.ssm_d", SSM_INNER)
    writer.tensor(f"{prefix}.ssm_out.weight", N_EMBD, SSM_INNER, scale=0.3)
    if norms:
        writer.ones(f"{prefix}.ssm_dt_norm.weight", SSM_RANK)
        writer.ones(f"{prefix}.ssm_b_norm.weight", SSM_STATE)
        writer.ones(f"{prefix}.ssm_c_norm.weight", SSM_STATE)


def _ssm_shape(writer: _Writer) -> None:
    out = writer.gguf
    out.add_ssm_conv_kernel(SSM_CONV)
    out.add_ssm_inner_size(SSM_INNER)
    out.add_ssm_state_size(SSM_STATE)
    out.add_ssm_time_step_rank(SSM_RANK)


def dense(
    path: Path,
    *,
    template: str | None = CHATML,
    special: Sequence[str] = SPECIAL,
    spm: bool = False,
    seed: int = 1,
    deltas: Mapping[str, np.ndarray[Any, Any]] | None = None,
) -> Path:
    """A llama: full attention. `special`: the BPE vocabulary's control tokens; `spm`: a SentencePiece vocabulary;
    `deltas`: what is added to tensors."""
    writer = _Writer(path, "llama", seed)
    writer.deltas = deltas or {}
    _shape(writer)
    writer.gguf.add_rope_dimension_count(HEAD)
    n_vocab = _spm(writer, template) if spm else _bpe(writer, special, template)
    writer.gguf.add_vocab_size(n_vocab)
    _ends(writer, n_vocab)
    for layer in range(N_LAYER):
        _attention(writer, f"blk.{layer}")
        _feed_forward(writer, f"blk.{layer}")
    return writer.finish()


def sliding(path: Path, *, template: str | None = CHATML, seed: int = 1) -> Path:
    """A gemma2: every other layer looks back on the last WINDOW tokens only."""
    writer = _Writer(path, "gemma2", seed)
    _shape(writer)
    out = writer.gguf
    out.add_key_length(HEAD)
    out.add_value_length(HEAD)
    out.add_sliding_window(WINDOW)
    out.add_attn_logit_softcapping(50.0)
    out.add_final_logit_softcapping(30.0)
    _ends(writer, _bpe(writer, SPECIAL, template), output=False)
    for layer in range(N_LAYER):
        _attention(writer, f"blk.{layer}")
        writer.ones(f"blk.{layer}.post_attention_norm.weight", N_EMBD)
        _feed_forward(writer, f"blk.{layer}")
        writer.ones(f"blk.{layer}.post_ffw_norm.weight", N_EMBD)
    return writer.finish()


def recurrent(path: Path, *, template: str | None = CHATML, seed: int = 1) -> Path:
    """A mamba: no attention, one state a sequence."""
    writer = _Writer(path, "mamba", seed)
    _shape(writer, 0)
    _ssm_shape(writer)
    _ends(writer, _bpe(writer, SPECIAL, template))
    for layer in range(N_LAYER):
        _ssm(writer, f"blk.{layer}", norms=False)
    return writer.finish()


def hybrid(path: Path, *, template: str | None = CHATML, seed: int = 1) -> Path:
    """A jamba: attention and recurrent layers in turn."""
    writer = _Writer(path, "jamba", seed)
    _shape(writer, [N_HEAD_KV if layer % 2 else 0 for layer in range(N_LAYER)])
    _ssm_shape(writer)
    _ends(writer, _bpe(writer, SPECIAL, template))
    for layer in range(N_LAYER):
        prefix = f"blk.{layer}"
        if layer % 2:
            _attention(writer, prefix)
        else:
            writer.ones(f"{prefix}.attn_norm.weight", N_EMBD)
            _ssm(writer, prefix, norms=True)
        _feed_forward(writer, prefix)
    return writer.finish()


def vocabulary_only(path: Path) -> Path:
    """A llama's header and vocabulary without a single tensor."""
    writer = _Writer(path, "llama")
    _shape(writer)
    _bpe(writer, SPECIAL, None)
    return writer.finish()


def projector(path: Path) -> Path:
    """What a picture reader's projector file looks like from outside."""
    writer = _Writer(path, "clip")
    writer.gguf.add_type("mmproj")
    writer.gguf.add_bool("clip.has_vision_encoder", True)
    writer.tensor("mm.0.weight", 8, 8)
    return writer.finish()


def unknown_architecture(path: Path) -> Path:
    """A file in order, of an architecture that no engine knows."""
    writer = _Writer(path, "fireside")
    _shape(writer)
    _ends(writer, _bpe(writer, SPECIAL, None))
    return writer.finish()


def missing_tensors(path: Path) -> Path:
    """A llama without the tensors of its last layers: its header is in order, loading it fails."""
    writer = _Writer(path, "llama")
    _shape(writer)
    writer.gguf.add_rope_dimension_count(HEAD)
    _ends(writer, _bpe(writer, SPECIAL, CHATML))
    _attention(writer, "blk.0")
    return writer.finish()
