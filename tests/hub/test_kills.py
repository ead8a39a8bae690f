"""Processes that are killed in the middle of a download, and disks that end: for real, in child processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import pytest

from app.hub.disk import reserve
from app.hub.values import Download
from tests.support.hub.downloads import World, random_bytes
from tests.support.hub.files import Kind

MIB = 1 << 20
SIZE = 24 * MIB + 12_345
NAME = "model-Q4_K_M.gguf"
ROOT = Path(__file__).resolve().parents[2]


def start(tmp_path: Path, download: Download, *more: str) -> subprocess.Popen[bytes]:
    told = tmp_path / "download.json"
    told.write_bytes(msgspec.json.encode(download))
    command = [sys.executable, "-m", "tests.hub.children", str(told), *more]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)})


def told_of(world: World) -> int:
    """How many bytes the journal tells of."""
    try:
        spans = json.loads(world.place(NAME + ".part.json").read_bytes())["spans"]
    except (FileNotFoundError, ValueError):
        return 0
    return sum(end - start for start, end in spans)


def test_killed_at_96_percent(tmp_path: Path) -> None:
    data = random_bytes(SIZE)
    world = World(tmp_path / "models", {NAME: data})
    edge = SIZE * 96 // 100
    world.cdn.fault(Kind.STALL, edge, times=-1)
    child = start(tmp_path, world.wanted())
    ends, pause = time.monotonic() + 60.0, threading.Event()
    while told_of(world) < edge:
        assert time.monotonic() < ends, told_of(world)
        assert child.poll() is None
        pause.wait(0.01)
    child.kill()
    child.wait()
    assert child.stdout is not None
    child.stdout.close()
    spans = json.loads(world.place(NAME + ".part.json").read_bytes())["spans"]
    part = world.place(NAME + ".part").read_bytes()
    assert all(part[start:end] == data[start:end] for start, end in spans)
    world.cdn.faults.clear()
    before = len(world.cdn.seen)
    again = start(tmp_path, world.wanted())
    assert again.communicate(timeout=60)[0] == b"done\n"
    assert world.place(NAME).read_bytes() == data
    assert sum((seen.end or SIZE) - seen.start for seen in world.cdn.seen[before:]) <= SIZE - edge + MIB
    assert world.left() == [f"acme/tiny/{NAME}"]
    world.close()


@pytest.mark.parametrize("served", [MIB, 5 * MIB, 9 * MIB, 15 * MIB])
def test_killed_at_any_moment_loses_nothing_that_was_told(tmp_path: Path, served: int) -> None:
    data = random_bytes(SIZE)
    world = World(tmp_path / "models", {NAME: data}, rate=8 * MIB)
    child = start(tmp_path, world.wanted())
    world.cdn.wait_for(lambda cdn: cdn.served > served, 60.0)
    child.kill()
    child.wait()
    assert child.stdout is not None
    child.stdout.close()
    told = world.place(NAME + ".part.json")
    if told.exists():
        part = world.place(NAME + ".part").read_bytes()
        assert all(part[begin:end] == data[begin:end] for begin, end in json.loads(told.read_bytes())["spans"])
    world.cdn.rate = 0
    world.downloader().run()
    assert world.place(NAME).read_bytes() == data
    world.close()


def test_a_file_that_the_disk_cannot_hold(tmp_path: Path) -> None:
    world = World(tmp_path / "models", {NAME: random_bytes(SIZE)})
    child = start(tmp_path, world.wanted(), str(10 * MIB))
    assert child.communicate(timeout=60)[0].startswith(b"not_written The disk with ")
    assert world.cdn.seen == []
    world.close()


def test_a_full_disk_is_refused_before_the_first_byte(tmp_path: Path) -> None:
    """A file of more than the whole disk: the system itself says no to it."""
    with (tmp_path / "huge").open("wb") as file, pytest.raises(OSError, match=r"space|large"):
        reserve(file.fileno(), 1 << 60)
