"""What of a GGUF header decides memory and speed: bytes per layer, and what each layer keeps of a conversation.

Pure functions of a header. What an architecture's rules make of its numbers stands in hparams.py; what all of it takes
with a context is reckoned here, as llama.cpp does (src/llama-kv-cache*.cpp).
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, replace

from app.engine.errors import GgufBroken
from app.engine.gguf_header import Header
from app.engine.hparams import MAX_LAYERS, Hparams, Layer, Widths
from app.engine.values import LoadOptions

CELLS = 256  # contexts and windows are rounded up to so many cells

# bytes of one number in a cache
CACHE_BYTES = {
    "f32": 4.0, "f16": 2.0, "bf16": 2.0, "q8_0": 34 / 32, "q5_1": 24 / 32, "q5_0": 22 / 32, "q4_1": 20 / 32,
    "q4_0": 18 / 32, "iq4_nl": 18 / 32,
}  # fmt: skip

EMBEDDED_TWICE = frozenset({"gemma3n", "gemma4"})
"""Loaders that ask for the output matrix first, and so hold a tied one twice unless both are mapped from the file."""

_INPUTS = frozenset({"token_embd", "position_embd", "token_types", "per_layer_token_embd"})
_EXPERTS = re.compile(r"_(ch|)exps\.")


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


def padded(n_ctx: int) -> int:
    """Rounded up as llama.cpp does with cells."""
    return -(-n_ctx // CELLS) * CELLS


def _slice(n_ctx: int, options: LoadOptions) -> int:
    """Tokens that are computed at once."""
    return max(1, min(options.n_ubatch, options.n_batch, n_ctx))


def shape_of(header: Header, *further: Header) -> ModelShape:
    """The shape of a model; `further` are the headers of the other files of a split one. Raises GgufBroken."""
    hparams = Hparams(header)
    n_layer = hparams.number("block_count") - hparams.number("nextn_predict_layers")
    if not 0 < n_layer <= MAX_LAYERS:
        raise GgufBroken(f"{n_layer} layers")
    layers = tuple(hparams.layer(index, n_layer) for index in range(n_layer))
    sizes, expert_sizes = [0] * n_layer, [0] * n_layer
    widest, expert_widest = [0] * n_layer, [0] * n_layer
    inputs = outputs = embedding = experts = 0
    params = input_params = expert_params = n_vocab = 0
    tied, widths = True, Widths()
    for tensor in (tensor for one in (header, *further) for tensor in one.tensors):
        params += tensor.elements
        name, _, _ = tensor.name.partition(".")
        layer = hparams.layer_of(tensor.name)
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
    used, count = hparams.number("expert_used_count"), hparams.number("expert_count")
    return ModelShape(
        architecture=header.architecture,
        n_ctx_train=hparams.number("context_length"),
        n_vocab=n_vocab,
        n_embd=hparams.number("embedding_length"),
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
        activations=hparams.activations(widths, n_layer),
        without_experts=hparams.activations(widths if hparams.has_states else replace(widths, expert=0), n_layer),
        input_params=input_params if not tied else input_params - n_vocab * hparams.number("embedding_length"),
        expert_params=expert_params,
        head_step=hparams.head_step(n_layer),
        n_head=max(hparams.per_layer("attention.head_count", index) for index in range(n_layer)),
        layer_inputs=n_layer * hparams.number("embedding_length_per_layer_input"),
    )
