"""A model's shape from what a list knows of it: how many parameters, which architecture, how long a context.

A rule of thumb for a badge beside a name, good to some ten percent in all and worse for the cache of unusual models;
the model's page asks for the exact answer. The proportions are those of the usual open models from 0.1 to 400 billion
parameters.
"""

from __future__ import annotations

import re

from app.engine.hparams import Layer, period_of
from app.engine.shape import ModelShape

USUAL_BITS = 4.9
"""Bits for a weight in the quantization that most people take (Q4_K_M)."""

_LAYERS = 32
_EIGHT_BILLION = 8e9
_CACHE_NUMBERS = 65_536  # for a token, of a model of eight billion parameters
_ACTIVATIONS = 59_392
_EXPERT_PART = 0.9  # of a layer with experts
_WINDOW = 1024
_NO_CACHE = ("mamba", "rwkv", "arwkv")
_LATENT = {"deepseek2": 35_136, "deepseek3": 35_136, "kimi-linear": 10_000, "glm-dsa": 45_000}
_ACTIVE_NAMED = re.compile(r"(?<![a-z0-9])(?:\d+(?:\.\d+)?b-)?a(\d{1,3}(?:\.\d{1,2})?)b(?![a-z0-9])", re.IGNORECASE)
_EXPERTS_NAMED = re.compile(r"(?<![a-z0-9])8x\d{1,3}b(?![a-z0-9])", re.IGNORECASE)
# architecture: what part of all parameters a token uses, where names do not say
_ACTIVE_SHARE = {"deepseek2": 0.06, "deepseek3": 0.06, "qwen3moe": 0.1, "qwen3next": 0.04}


def active_params(params: int, architecture: str, name: str) -> int:
    """How many parameters a token is multiplied with: told by the name (30B-A3B, 8x7B), or usual for the kind."""
    if named := _ACTIVE_NAMED.search(name):
        return min(int(float(named[1]) * 1e9), params)
    if _EXPERTS_NAMED.search(name):
        return int(params * 0.28)
    if "gpt-oss" in (architecture or name).lower():  # two sizes exist, as their makers state them
        return min(3_600_000_000 if params < 50e9 else 5_100_000_000, params)
    return int(params * _ACTIVE_SHARE.get(architecture, 1.0))


def guess(
    params: int, *, architecture: str = "", name: str = "", context_length: int = 0, weights_bytes: int = 0
) -> ModelShape:
    """The shape to reckon with. `weights_bytes` 0: as large as the usual quantization would be."""
    params = max(params, 1_000_000)
    weights = weights_bytes or int(params * USUAL_BITS / 8)
    active = active_params(params, architecture, name)
    size = params / _EIGHT_BILLION
    share = active / params
    each, rest = divmod(weights, _LAYERS)
    return ModelShape(
        architecture=architecture,
        n_ctx_train=max(context_length, 0),
        n_vocab=128_000,
        n_embd=int(4096 * size**0.33),
        n_params=params,
        layers=_layers(architecture, size),
        layer_bytes=tuple(each + (rest if index == 0 else 0) for index in range(_LAYERS)),
        layer_expert_bytes=(int(each * _EXPERT_PART),) * _LAYERS if share < 1 else (0,) * _LAYERS,
        layer_widest=(each // 4,) * _LAYERS,
        expert_widest=(each // 3,) * _LAYERS if share < 1 else (0,) * _LAYERS,
        input_bytes=0,
        output_bytes=0,
        embedding_bytes=0,
        tied=False,
        expert_bytes=weights,
        expert_share=share,
        activations=_ACTIVATIONS * size**0.4,
        without_experts=_ACTIVATIONS * size**0.4,
        input_params=0,
        expert_params=params,
        head_step=32,
        n_head=int(32 * size**0.33),
    )


def _layers(architecture: str, size: float) -> tuple[Layer, ...]:
    if architecture.startswith(_NO_CACHE):
        return (Layer(state=int(140_000 * size**0.5)),) * _LAYERS
    numbers = _LATENT.get(architecture) or _CACHE_NUMBERS * size**0.42
    half = max(int(numbers / _LAYERS / 2), 1)
    windows, states = period_of(architecture)
    found = []
    for index in range(_LAYERS):
        full = index % max(windows, states, 1) == 0
        if full or not (windows or states):
            found.append(Layer(k=half, v=half))
        else:
            found.append(Layer(k=half, v=half, window=_WINDOW) if windows else Layer(state=500_000))
    return tuple(found)
