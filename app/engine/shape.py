"""What of a GGUF header decides memory and speed: bytes per layer, and what each layer keeps of a conversation.

Pure functions of a header. The rules are llama.cpp's (src/llama-hparams.cpp, llama-kv-cache*.cpp,
llama-memory-recurrent.cpp, and the loaders in src/models/); where a rule lives in the code of one architecture only, it
stands in a table here. An architecture that is not in a table is taken for one with full attention everywhere, which
is an upper bound. Headers are hostile: every number is bounded before it is used.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.engine.errors import GgufBroken
from app.engine.gguf_header import Header
from app.engine.values import LoadOptions

MAX_LAYERS = 512  # LLAMA_MAX_LAYERS
CELLS = 256  # contexts and windows are rounded up to so many cells
_LIMIT = 1 << 31

# bytes of one number in a cache
CACHE_BYTES = {
    "f32": 4.0, "f16": 2.0, "bf16": 2.0, "q8_0": 34 / 32, "q5_1": 24 / 32, "q5_0": 22 / 32, "q4_1": 20 / 32,
    "q4_0": 18 / 32, "iq4_nl": 18 / 32,
}  # fmt: skip

EMBEDDED_TWICE = frozenset({"gemma3n", "gemma4"})
"""Loaders that ask for the output matrix first, and so hold a tied one twice unless both are mapped from the file."""

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

_INPUTS = frozenset({"token_embd", "position_embd", "token_types", "per_layer_token_embd"})
_WITH_THE_FIRST = frozenset({"token_embd_norm", "per_layer_model_proj", "per_layer_proj_norm", "rope_freqs"})
_NORM_AT_THE_END = frozenset({"lfm2", "lfm2moe"})  # where the last norm is called as the first one elsewhere

_LAYER = re.compile(r"blk\.(\d+)\.")
_EXPERTS = re.compile(r"_(ch|)exps\.")


@dataclass(frozen=True)
class Layer:
    """What one layer keeps: `k` and `v` numbers for a token, of the last `window` tokens (0: of all), and `state`
    numbers (f32) for a sequence."""

    k: int = 0
    v: int = 0
    window: int = 0
    state: int = 0


@dataclass(frozen=True)
class ModelShape:
    """A model, as far as memory and speed are concerned. Bytes are those of the file.

    `input_bytes` are read a row at a time and stay in main memory; `output_bytes` come after the last layer. `tied`:
    the embedding is the output matrix too. `expert_bytes` are those of all experts, of which `expert_share` is read for
    a token. `layer_expert_bytes` are the experts' part of `layer_bytes`, `layer_widest` the largest single matrix of a
    layer, its experts' left out, and `expert_widest` the largest of those. `activations` are the numbers a token needs
    at the widest place of the graph, `without_experts` at the widest that is left where all experts are computed
    elsewhere, `layer_inputs` those that go in beside the embedding, for all layers together.
    `head_step`: the numbers of a head's key and value come in multiples of it.
    """

    architecture: str
    n_ctx_train: int
    n_vocab: int
    n_embd: int
    n_params: int
    layers: tuple[Layer, ...]
    layer_bytes: tuple[int, ...]
    layer_expert_bytes: tuple[int, ...]
    layer_widest: tuple[int, ...]
    expert_widest: tuple[int, ...]
    input_bytes: int
    output_bytes: int
    embedding_bytes: int
    tied: bool
    expert_bytes: int
    expert_share: float
    activations: float
    without_experts: float
    input_params: int
    expert_params: int
    head_step: int = 0
    n_head: int = 0
    layer_inputs: int = 0

    @property
    def n_layer(self) -> int:
        """How many layers there are, the output not counted."""
        return len(self.layers)

    @property
    def weights_bytes(self) -> int:
        """All tensors."""
        return sum(self.layer_bytes) + self.input_bytes + self.output_bytes

    @property
    def state_bytes(self) -> int:
        """The recurrent states of one sequence."""
        return sum(4 * layer.state for layer in self.layers)

    @property
    def widest_bytes(self) -> int:
        """The largest matrix that a device may hold."""
        return max(*self.layer_widest, *self.expert_widest, self.embedding_bytes if self.tied else self.output_bytes)

    @property
    def can_quantize_cache(self) -> bool:
        """Whether there is a cache that types with blocks of 32 numbers can hold: heads must divide into them."""
        return any(layer.k for layer in self.layers) and self.head_step % 32 == 0

    @property
    def active_bytes(self) -> float:
        """Weights that writing one token reads."""
        read = sum(self.layer_bytes) + self.output_bytes + (self.embedding_bytes if self.tied else 0)
        return read - self.expert_bytes * (1 - self.expert_share)

    @property
    def active_params(self) -> float:
        """Parameters that reading one token multiplies with."""
        return self.n_params - self.input_params - self.expert_params * (1 - self.expert_share)

    def kv_layer_bytes(self, n_ctx: int, options: LoadOptions) -> list[int]:
        """The KV cache of each layer, states not counted, with a context of `n_ctx` tokens."""
        size = padded(n_ctx)
        slots = max(options.n_seq_max, 1)
        bytes_k, bytes_v = CACHE_BYTES.get(options.type_k, 4.0), CACHE_BYTES.get(options.type_v, 4.0)
        kinds, which = self._kinds
        found = []
        for layer in kinds:
            cells = min(size, padded(layer.window * slots + _slice(n_ctx, options))) if layer.window else size
            found.append(round(cells * (layer.k * bytes_k + layer.v * bytes_v)))
        return [found[index] for index in which]

    @functools.cached_property
    def _kinds(self) -> tuple[list[Layer], list[int]]:
        """The different layers there are, and which one each is: plans are asked for while a slider moves."""
        kinds = {layer: index for index, layer in enumerate(dict.fromkeys(self.layers))}
        return list(kinds), [kinds[layer] for layer in self.layers]

    def mask_cells(self, n_ctx: int, options: LoadOptions) -> int:
        """Cells that the masks of all caches have for one token of a slice."""
        size = padded(n_ctx)
        windows = {layer.window for layer in self._kinds[0] if layer.k}
        slots = max(options.n_seq_max, 1)
        return sum(min(size, padded(w * slots + _slice(n_ctx, options))) if w else size for w in windows)

    def compute_bytes(self, n_ctx: int, options: LoadOptions, *, experts: bool = True) -> int:
        """The working buffer of a device that has layers; without `experts`, if theirs are all elsewhere. A rule found
        by comparing with llama.cpp's own plans."""
        numbers = self.activations if experts else self.without_experts
        return round(_slice(n_ctx, options) * (4 * numbers + 2 * self.mask_cells(n_ctx, options)))

    def feed_bytes(self, n_ctx: int, options: LoadOptions) -> int:
        """The working buffer of main memory when all layers are elsewhere: what goes in, and the masks."""
        inputs = 8 * self.n_embd + 4 * self.layer_inputs
        return _slice(n_ctx, options) * (inputs + 2 * self.mask_cells(n_ctx, options))

    def copies_bytes(self, n_ctx: int, options: LoadOptions) -> int:
        """What each working buffer takes more where several devices follow each other: what goes from one to the next,
        and the masks, are there four times, so that slices of a prompt can follow each other too."""
        return 3 * _slice(n_ctx, options) * (4 * self.n_embd + 2 * self.mask_cells(n_ctx, options))

    def scores_bytes(self, n_ctx: int, options: LoadOptions) -> int:
        """What attention takes more where it is not computed in one operation: each head's scores for all cells, and
        masks of twice the size."""
        return _slice(n_ctx, options) * (4 * self.n_head + 2) * self.mask_cells(n_ctx, options)


def period_of(architecture: str) -> tuple[int, int]:
    """Of how many layers one sees everything, the others having a window, or a state instead of a cache; 0: all."""
    return _WINDOWS.get(architecture, (0, False, 0))[0], _FULL_EVERY.get(architecture, 0)


def padded(n_ctx: int) -> int:
    """Rounded up as llama.cpp does with cells."""
    return -(-n_ctx // CELLS) * CELLS


def _slice(n_ctx: int, options: LoadOptions) -> int:
    """Tokens that are computed at once."""
    return max(1, min(options.n_ubatch, options.n_batch, n_ctx))


def shape_of(header: Header, *further: Header) -> ModelShape:
    """The shape of a model; `further` are the headers of the other files of a split one. Raises GgufBroken."""
    read = _Reader(header)
    n_layer = read.number("block_count") - read.number("nextn_predict_layers")
    if not 0 < n_layer <= MAX_LAYERS:
        raise GgufBroken(f"{n_layer} layers")
    layers = tuple(read.layer(index, n_layer) for index in range(n_layer))
    sizes, expert_sizes = [0] * n_layer, [0] * n_layer
    widest, expert_widest = [0] * n_layer, [0] * n_layer
    inputs = outputs = embedding = experts = 0
    params = input_params = expert_params = n_vocab = 0
    tied, widths = True, _Widths()
    for tensor in (tensor for one in (header, *further) for tensor in one.tensors):
        params += tensor.elements
        name, _, _ = tensor.name.partition(".")
        layer = read.layer_of(tensor.name)
        if 0 <= layer < n_layer:
            sizes[layer] += tensor.size_bytes
            if _EXPERTS.search(tensor.name):
                expert_sizes[layer] += tensor.size_bytes
                expert_widest[layer] = max(expert_widest[layer], tensor.size_bytes)
                experts += tensor.size_bytes
                expert_params += tensor.elements
            else:
                widest[layer] = max(widest[layer], tensor.size_bytes)
            widths.look(tensor.name, tensor.shape)
        elif layer >= 0:
            params -= tensor.elements  # a layer for guessing ahead, which is left out
        elif name in _INPUTS:
            inputs += tensor.size_bytes
            input_params += tensor.elements
            if tensor.name == "token_embd.weight":
                embedding, n_vocab = tensor.size_bytes, tensor.shape[-1]
        else:
            outputs += tensor.size_bytes
            tied = tied and name != "output"
    used, count = read.number("expert_used_count"), read.number("expert_count")
    return ModelShape(
        architecture=header.architecture,
        n_ctx_train=read.number("context_length"),
        n_vocab=n_vocab,
        n_embd=read.number("embedding_length"),
        n_params=params,
        layers=layers,
        layer_bytes=tuple(sizes),
        layer_expert_bytes=tuple(expert_sizes),
        layer_widest=tuple(widest),
        expert_widest=tuple(expert_widest),
        input_bytes=inputs,
        output_bytes=outputs,
        embedding_bytes=embedding,
        tied=tied,
        expert_bytes=experts,
        expert_share=min(used / count, 1.0) if count else 1.0,
        activations=read.activations(widths, n_layer),
        without_experts=read.activations(widths if read.has_states else replace(widths, expert=0), n_layer),
        input_params=input_params if not tied else input_params - n_vocab * read.number("embedding_length"),
        expert_params=expert_params,
        head_step=read.head_step(n_layer),
        n_head=max(read.per_layer("attention.head_count", index) for index in range(n_layer)),
        layer_inputs=n_layer * read.number("embedding_length_per_layer_input"),
    )


@dataclass
class _Widths:
    """The widest feed-forward layers among the tensors."""

    dense: int = 0
    expert: int = 0

    def look(self, name: str, shape: Sequence[int]) -> None:
        if name.endswith(".ffn_down.weight"):
            self.dense = max(self.dense, shape[0])
        elif name.endswith(".ffn_down_exps.weight"):
            self.expert = max(self.expert, shape[0])


class _Reader:
    """A header's numbers, bounded."""

    def __init__(self, header: Header) -> None:
        self._header = header
        self._architecture = header.architecture
        self._window, self._pattern = self._windows()

    def number(self, key: str, default: int = 0) -> int:
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

    def activations(self, widths: _Widths, n_layer: int) -> float:
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
