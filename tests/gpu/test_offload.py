"""Layers on the card: where they were put, as much memory as was planned, the same numbers, and all given back."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.engine.hardware import Device
from app.engine.protocol import Loaded
from tests.engine.worker.control import Control
from tests.engine.worker.process import WorkerProcess, user
from tests.engine.worker.test_devices import check_plan, layers, planned
from tests.gpu.conftest import described
from tests.support.architectures import MAKERS, write
from tests.support.hardware_matrix import LAYERS, MODEL

MIB = 1024 * 1024
QUESTION = [user("Why is the sky blue?")]
CLOSE = 0.2  # of all probability, how much may lie elsewhere: each rounds what it multiplies in its own way

PLACES: list[dict[str, Any]] = [
    {"n_gpu_layers": 0},
    {"n_gpu_layers": 10},
    {},
    {"use_mmap": False},
    {"offload_kv": False},
    {"type_k": "q8_0", "type_v": "q8_0"},
    {"type_k": "q4_0", "type_v": "q4_0", "n_ctx": 8192},
    {"n_ubatch": 128},
    {"n_seq_max": 4, "n_cells": 8192},
]


def chances(logits: list[float]) -> list[float]:
    """The probabilities of the next token. Logits themselves may all be higher by the same, which changes nothing."""
    best = max(logits)
    weights = [math.exp(logit - best) for logit in logits]
    total = sum(weights)
    return [weight / total for weight in weights]


def loaded(worker: WorkerProcess, path: Path, **options: Any) -> Any:
    event = worker.load(path, n_ctx=options.pop("n_ctx", 2048), **options)
    assert isinstance(event, Loaded), event
    return event.model


def test_the_card_is_seen_with_its_memory(card: Device) -> None:
    assert card.backend not in ("CPU", "RPC", "")
    assert not card.host
    assert 0 < card.memory_free_bytes <= card.memory_total_bytes


@pytest.mark.parametrize("options", PLACES, ids=str)
def test_the_starter_model_takes_what_was_planned_and_answers(
    worker: WorkerProcess, card: Device, starter_model: Path, options: dict[str, Any]
) -> None:
    every = {"n_ctx": 2048, "devices": (card.name,) if options.get("n_gpu_layers") != 0 else (), **options}
    plan = planned(worker, starter_model, **every)
    model = loaded(worker, starter_model, **every)
    check_plan(plan, model.shares)
    on = every.get("n_gpu_layers", 31)
    assert layers(model.shares) == {"CPU": 31 - on, **({card.name: on} if on else {})}
    assert len(worker.write(QUESTION, max_tokens=16).ids) == 16


# llama.cpp's CUDA code has no attention with gemma2's soft cap for the head size of these models.
@pytest.mark.parametrize("name", sorted({*MAKERS} - {"gemma2"}))
def test_every_kind_of_model_takes_what_was_planned(
    worker: WorkerProcess, card: Device, tmp_path: Path, name: str
) -> None:
    shape = replace(MODEL, n_layer=LAYERS.get(name, MODEL.n_layer))
    path = write(tmp_path / "model.gguf", name, shape)
    for options in ({}, {"n_gpu_layers": 5}, {"n_cpu_experts": 6} if "moe" in name else {"n_gpu_layers": 1}):
        every = {"n_ctx": 4096, "devices": (card.name,), **options}
        plan = planned(worker, path, **every)
        check_plan(plan, loaded(worker, path, **every).shares)


def test_the_card_reckons_as_the_processor_does(starter_model: Path, card: Device) -> None:
    here, there = (
        Control(starter_model, n_gpu_layers=0),
        Control(starter_model, devices=(card.name,)),
    )
    try:
        tokens = here.loaded.prompts.build(QUESTION, {}).tokens
        expected, found = chances(here.read(tokens)), chances(there.read(tokens))
        moved = sum(max(a - b, 0.0) for a, b in zip(expected, found, strict=True))
        print(f"moved: {moved:.3f}, the best: {max(expected):.3f} and {max(found):.3f}")
        assert moved < CLOSE
    finally:
        here.close()
        there.close()


def test_a_worker_that_ends_leaves_nothing_on_the_card(card: Device, starter_model: Path) -> None:
    watcher, worker = WorkerProcess(), WorkerProcess()
    try:
        before = described(watcher)[card.name].memory_free_bytes
        loaded(worker, starter_model, devices=(card.name,))
        worker.write(QUESTION, max_tokens=4)
        assert before - described(watcher)[card.name].memory_free_bytes > 100 * MIB
        worker.close()
        assert before - described(watcher)[card.name].memory_free_bytes <= 5 * MIB
    finally:
        watcher.close()
        worker.close()
