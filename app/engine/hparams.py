"""A header's hyperparameters by the rules of its architecture: what each layer keeps, and how wide a token's work is.

The rules are llama.cpp's (src/llama-hparams.cpp, llama-kv-cache*.cpp, llama-memory-recurrent.cpp, and the loaders in
src/models/); where a rule lives in the code of one architecture only, it stands in a table here. An architecture that
is not in a table is taken for one with full attention everywhere, which is an upper bound. Headers are hostile: every
number is bounded before it is used.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from app.engine.gguf_header import Header

MAX_LAYERS = 512  # LLAMA_MAX_LAYERS
_LIMIT = 1 << 31

# architecture: (of how many layers one sees everything, is that the first of them, window if the header has none)
_WINDOWS = {
    "gemma2": (2, False, 4096),
    "gemma3": (6, False, 0),
    "gemma3n": (5, False, 0),
    "cohere2": (4, False, 0),
    "gpt-oss": (2, False, 0),
    "llama4": (4, False, 8192),
    "olmo2": (4, False, 0),
    "exaone4": (4, False, 4096),
    "smallthinker": (4, True, 4096),
}
_WINDOW_IGNORED = frozenset({"llama", "phi3", "mistral3"})
_OWN_CACHE_LAYERS = {"gemma3n": 20}  # the layers after these use the cache of those before
_FULL_EVERY = {"qwen3next": 4, "qwen35": 4, "qwen35moe": 4}  # of how many layers one has attention
_BOTH_KINDS = frozenset({"falcon-h1"})  # attention and a state in every layer
_NO_STATE_WITH_FEED_FORWARD = frozenset({"nemotron_h", "nemotron_h_moe"})

_WITH_THE_FIRST = frozenset({"token_embd_norm", "per_layer_model_proj", "per_layer_proj_norm", "rope_freqs"})
_NORM_AT_THE_END = frozenset({"lfm2", "lfm2moe"})  # where the last norm is called as the first one elsewhere

_LAYER = re.compile(r"blk\.(\d+)\.")


@dataclass(frozen=True)
class Layer:
    """What one layer keeps: `k` and `v` numbers for a token, of the last `window` tokens (0: of all), and `state`
    numbers (f32) for a sequence."""

    k: int = 0
    v: int = 0
    window: int = 0
    state: int = 0


@dataclass
class Widths:
    """The widest feed-forward layers among the tensors."""

    dense: int = 0
    expert: int = 0

    def look(self, name: str, shape: Sequence[int]) -> None:
        """Takes a tensor into account."""
        if name.endswith(".ffn_down.weight"):
            self.dense = max(self.dense, shape[0])
        elif name.endswith(".ffn_down_exps.weight"):
            self.expert = max(self.expert, shape[0])


def period_of(architecture: str) -> tuple[int, int]:
    """Of how many layers one sees everything, the others having a window, or a state instead of a cache; 0: all."""
    return _WINDOWS.get(architecture, (0, False, 0))[0], _FULL_EVERY.get(architecture, 0)


class Hparams:
    """A header's numbers, bounded. Keys are named without the architecture they begin with."""

    def __init__(self, header: Header) -> None:
        self._header = header
        self._architecture = header.architecture
        self._window, self._pattern = self._windows()

    def number(self, key: str, default: int = 0) -> int:
        """A number of the whole model."""
        found = self._header.number(f"{{arch}}.{key}", default)
        return found if 0 <= found < _LIMIT else default

    def layer_of(self, name: str) -> int:
        """Which layer a tensor lies with; -1 for what comes before all of them or after."""
        if found := _LAYER.match(name):
            return int(found[1])
        first, _, _ = name.partition(".")
        after = self._architecture in _NORM_AT_THE_END and first == "token_embd_norm"
        return 0 if first in _WITH_THE_FIRST and not after else -1

    def per_layer(self, key: str, index: int, default: int = 0) -> int:
        """A number that the header gives for each layer, or for all of them at once."""
        found = self._header.metadata.get(f"{self._architecture}.{key}")
        if isinstance(found, tuple):
            one = found[index] if index < len(found) else default
            return one if isinstance(one, int) and 0 <= one < _LIMIT else default
        return self.number(key, default)

    def _windows(self) -> tuple[int, tuple[int, bool] | tuple[object, ...] | None]:
        """The window, and which layers have it: a period with its phase, a flag for each layer, or none at all."""
        period, first, default = _WINDOWS.get(self._architecture, (0, False, 0))
        window = self.number("attention.sliding_window", default)
        said = self._header.metadata.get(f"{self._architecture}.attention.sliding_window_pattern")
        if not window or self._architecture in _WINDOW_IGNORED:
            return 0, None
        if self._architecture == "exaone4" and self.number("block_count") != 64:
            return 0, None
        if isinstance(said, tuple):
            return window, said
        if isinstance(said, int) and not isinstance(said, bool) and 0 < said <= MAX_LAYERS:
            period = said
        return (window, (period, first)) if period else (0, None)

    def window(self, index: int) -> int:
        """How many tokens this layer looks back; 0 is all."""
        if self._pattern is None:
            return 0
        said = self._header.metadata.get(f"{self._architecture}.attention.sliding_window_pattern")
        if isinstance(said, tuple):
            return self._window if index < len(said) and said[index] else 0
        period, first = self._pattern
        assert isinstance(period, int)
        full = index % period == 0 if first else index % period == period - 1
        return 0 if full else self._window

    def layer(self, index: int, n_layer: int) -> Layer:
        """What this layer keeps."""
        recurrent = self._recurrent(index)
        state = self._state() if recurrent else 0
        if recurrent and self._architecture not in _BOTH_KINDS:
            return Layer(state=state)
        own = _OWN_CACHE_LAYERS.get(self._architecture, n_layer - self.number("attention.shared_kv_layers"))
        if index >= own:
            return Layer(state=state)
        window = self.window(index)
        heads = self.per_layer("attention.head_count", index)
        heads_kv = self.per_layer("attention.head_count_kv", index, heads)
        usual = self.number("embedding_length") // heads if heads else 0
        k = self.number("attention.key_length", usual)
        v = self.number("attention.value_length", usual)
        if window:
            k = self.number("attention.key_length_swa", k)
            v = self.number("attention.value_length_swa", v)
        latent = self.number("attention.key_length_mla") and self.number("attention.value_length_mla")
        return Layer(k=heads_kv * k, v=0 if latent else heads_kv * v, window=window, state=state)

    @property
    def has_states(self) -> bool:
        """Whether some layers keep a state, whose computing is wide by itself."""
        return self._state() > 0

    def head_step(self, n_layer: int) -> int:
        """What the numbers of all heads' keys and values are multiples of; 0 if there are none."""
        found = 0
        for index in range(n_layer):
            heads = self.per_layer("attention.head_count", index)
            usual = self.number("embedding_length") // heads if heads else 0
            names = ("key_length", "value_length")
            found = math.gcd(found, *(self.number(f"attention.{name}", usual) for name in names))
            if self.window(index):
                found = math.gcd(found, *(self.number(f"attention.{name}_swa") for name in names))
        return found

    def _recurrent(self, index: int) -> bool:
        """Whether this layer keeps a state."""
        if not self._state():
            return False
        flags = self._header.metadata.get(f"{self._architecture}.attention.recurrent_layers")
        if isinstance(flags, tuple):
            return index < len(flags) and bool(flags[index])
        if self._architecture in _FULL_EVERY:
            every = self.number("full_attention_interval", _FULL_EVERY[self._architecture])
            return (index + 1) % max(every, 1) != 0
        if self._architecture in _BOTH_KINDS:
            return True
        if self._architecture in _NO_STATE_WITH_FEED_FORWARD and self.per_layer("feed_forward_length", index):
            return False
        return self.per_layer("attention.head_count_kv", index) == 0

    def _state(self) -> int:
        """Numbers of one layer's state: what the convolution remembers, and the state itself."""
        n_embd = self.number("embedding_length")
        if head := self.number("wkv.head_size"):
            return self.number("token_shift_count", 2) * n_embd + n_embd * head
        if length := self.number("shortconv.l_cache"):
            return n_embd * (length - 1)
        inner, size = self.number("ssm.inner_size"), self.number("ssm.state_size")
        kernel = self.number("ssm.conv_kernel")
        if head := self.number("kda.head_dim"):
            heads = self.number("attention.head_count")
            return 3 * max(kernel - 1, 0) * heads * head + heads * head * head
        return max(kernel - 1, 0) * (inner + 2 * self.number("ssm.group_count") * size) + size * inner

    def activations(self, widths: Widths, n_layer: int) -> float:
        """The numbers a token needs at the widest place: feed-forward, experts, compressed attention, or a state."""
        n_embd = self.number("embedding_length")
        n_head = max(self.per_layer("attention.head_count", index) for index in range(n_layer))
        key = self.number("attention.key_length", n_embd // n_head if n_head else 0)
        latent = self.number("attention.key_length_mla")
        queries = n_head * (latent or key)
        used = self.number("expert_used_count")
        places = [3.0 * widths.dense + 3 * n_embd + queries]
        if used:
            places.append(float(n_embd * used + 2 * n_embd + queries))  # what the experts give back
        if widths.expert:
            places.append(3.0 * widths.expert * used + 3 * n_embd + queries)
            places.append(2.0 * n_embd * used + 4 * n_embd + queries)
        if latent:
            rank, rope = self.number("attention.kv_lora_rank"), self.number("rope.dimension_count")
            places.append(n_head * (rank + key + 2.0 * latent - rope) + 4 * n_embd)
        inner = self.number("ssm.inner_size")
        if inner and not self.number("ssm.group_count"):
            places.append(6.55 * inner)
        elif inner:
            places.append(3.4 * (inner + 2 * self.number("ssm.group_count") * self.number("ssm.state_size")))
        if small := self.number("embedding_length_per_layer_input"):
            places.append(4.0 * n_layer * small)
            places.append(3.0 * widths.dense + 2 * n_layer * small + 6 * n_embd)
        return max(places)
