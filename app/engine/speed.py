"""How fast a model will be: bytes that a token reads over what each device was measured to do, and what layers take
besides, however small they are. Pure functions."""

from __future__ import annotations

import math

import msgspec

from app.engine.hardware import DeviceSpeed, Machine, MemoryPlan
from app.engine.shape import CELLS, ModelShape
from app.engine.values import LoadOptions

PROMPT_TOKENS = 1000  # of the time to the first token

_CPU = "CPU"


def tokens_per_s(shape: ModelShape, options: LoadOptions, machine: Machine, plan: MemoryPlan) -> float:
    """Expected while writing with half the context filled: every active weight and that half are read for a token,
    on each device in turn. 0 where a device that is used was not measured."""
    weights = sum(share.weights_bytes for share in plan.shares)
    if not weights:
        return 0.0
    half = msgspec.structs.replace(options, n_ctx=max(plan.n_ctx // 2, CELLS))
    cache = sum(shape.kv_layer_bytes(half.n_ctx, half)) + 2 * shape.state_bytes
    kept = sum(share.kv_bytes for share in plan.shares)
    seconds = 0.0
    for share, read in zip(plan.shares, _read_bytes(shape, options, plan), strict=True):
        seen = cache * share.kv_bytes / kept if kept else 0.0
        if read + seen <= 0:
            continue
        speed = _speed(machine, share.name)
        bandwidth = speed.bandwidth_bytes_per_s
        if bandwidth <= 0:
            return 0.0
        seconds += share.layers * speed.layer_s + read / bandwidth + seen / (speed.cache_bytes_per_s or bandwidth)
    return 1 / seconds if seconds else 0.0


def ttft_s(shape: ModelShape, options: LoadOptions, machine: Machine, plan: MemoryPlan) -> float:
    """Expected seconds to read a prompt of PROMPT_TOKENS: two operations for a parameter and token, on each device in
    turn, and what its layers take besides for each batch. 0 where a device that is used was not measured."""
    batches = math.ceil(PROMPT_TOKENS / max(min(options.n_ubatch, options.n_batch), 1))
    read_once = _read_bytes(shape, options, plan)
    total = sum(read_once)
    seconds = 0.0
    for share, read in zip(plan.shares, read_once, strict=True):
        if read <= 0:
            continue
        speed = _speed(machine, share.name)
        if speed.compute_flops <= 0:
            return 0.0
        seconds += batches * share.layers * speed.layer_s
        seconds += PROMPT_TOKENS * 2 * shape.active_params * (read / total) / speed.compute_flops
    return seconds


def _read_bytes(shape: ModelShape, options: LoadOptions, plan: MemoryPlan) -> list[float]:
    """Bytes of weights that each share reads for a token; in sum the active ones.

    Experts that stay in main memory while their layers do not are a large part of what lies there, and a small one of
    what is read.
    """
    stay = shape.input_bytes - (shape.embedding_bytes if shape.tied and plan.n_gpu_layers <= shape.n_layer else 0)
    first = shape.n_layer + 1 - plan.n_gpu_layers
    apart = sum(shape.layer_expert_bytes[first : options.n_cpu_experts])
    held = []
    for share in plan.shares:
        if share.name == _CPU:
            held.append(share.weights_bytes - stay - apart)
        else:
            held.append(share.weights_bytes)
    seldom = apart * shape.expert_share
    total = sum(max(one, 0) for one in held)
    often = max(shape.active_bytes - seldom, 0.0)
    read = [often * max(one, 0) / total if total else 0.0 for one in held]
    return [one + (seldom if share.name == _CPU else 0.0) for one, share in zip(read, plan.shares, strict=True)]


def _speed(machine: Machine, name: str) -> DeviceSpeed:
    for speed in machine.speeds:
        if speed.name == name:
            return speed
    here = name == _CPU
    return DeviceSpeed(
        name=name,
        bandwidth_bytes_per_s=machine.bandwidth_bytes_per_s if here else 0.0,
        compute_flops=machine.compute_flops if here else 0.0,
        cache_bytes_per_s=machine.cache_bytes_per_s if here else 0.0,
    )
