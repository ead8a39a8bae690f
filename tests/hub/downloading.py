"""What tests of downloads have in common: the file, fetching it whole, and stopping in the middle of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from app.base.errors import InglenookError
from app.hub.downloader import Downloader
from app.hub.failures import Stopped
from tests.support.hub.downloads import PIECE, World, random_bytes
from tests.support.hub.files import Kind

SIZE = 6 * PIECE + 1000
MODEL = random_bytes(SIZE)
PROJECTOR = random_bytes(50_001, 2)
NAME = "model-Q4_K_M.gguf"
PLACE = f"acme/tiny/{NAME}"
UNSHARED = {"piece_min_bytes": 2 * PIECE + 8}
"""No piece is large enough to be shared: which bytes are asked for does not depend on who is slow."""

WAYS = ["usual", "direct"]
"""How bodies are read. `@pytest.mark.parametrize("way", WAYS, indirect=True)` where that makes a difference."""


def fetch(world: World, **manner: object) -> None:
    """Downloads, and the file is what it should be, with nothing beside it."""
    assert world.downloader(**manner).run() == [world.place(NAME)]
    assert world.place(NAME).read_bytes() == MODEL
    assert world.left() == [PLACE]


def begin(downloader: Downloader) -> tuple[threading.Thread, list[BaseException]]:
    errors: list[BaseException] = []

    def run() -> None:
        try:
            downloader.run()
        except InglenookError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, errors


def wait_until(true: Callable[[], bool]) -> None:
    ends, pause = time.monotonic() + 20.0, threading.Event()
    while not true():
        assert time.monotonic() < ends, "it did not come to this in time"
        pause.wait(0.005)


def stop_in_the_middle(world: World) -> None:
    """Stops while a connection says nothing; what came stays."""
    fault = world.cdn.fault(Kind.STALL, 4 * PIECE + 10, times=-1)
    downloader = world.downloader(stall_s=30.0, **UNSHARED)
    thread, errors = begin(downloader)
    wait_until(lambda: downloader.progress().done_bytes >= SIZE - PIECE + 10)
    began = time.monotonic()
    downloader.stop()
    thread.join(20)
    assert time.monotonic() - began < 5.0
    assert [type(error) for error in errors] == [Stopped]
    world.cdn.faults.remove(fault)
    assert world.left() == [f"{PLACE}.part", f"{PLACE}.part.json"]
