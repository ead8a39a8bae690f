"""Tiny models, made once, and workers that end with the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engine.worker.process import LoopHere, WorkerProcess
from tests.support import tiny_models


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The path of a tiny model by the name of the function that makes it."""
    folder = tmp_path_factory.mktemp("tiny")
    made: dict[str, Path] = {}

    def get(kind: str) -> Path:
        if kind not in made:
            made[kind] = getattr(tiny_models, kind)(folder / f"{kind}.gguf")
        return made[kind]

    return get


@pytest.fixture
def worker() -> Iterator[WorkerProcess]:
    """A fresh worker process without a model."""
    process = WorkerProcess()
    yield process
    process.close()


@pytest.fixture(scope="session")
def _starter_worker(starter_model: Path) -> Iterator[WorkerProcess]:
    process = WorkerProcess()
    process.load(starter_model)
    yield process
    process.close()


@pytest.fixture
def starter(_starter_worker: WorkerProcess) -> WorkerProcess:
    """A worker process, shared by the tests, that holds the starter model."""
    assert _starter_worker.model is not None
    return _starter_worker


@pytest.fixture
def loop_here() -> Iterator[LoopHere]:
    """A loop in this process without a model."""
    here = LoopHere()
    yield here
    here.close()
