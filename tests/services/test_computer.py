"""What the computer tells of itself, and what is believed of its devices."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from app.engine.hardware import Device, DeviceSpeed
from app.services import computer, device_memory
from app.services import machine as machines
from app.services.machine import Measured

GIB = 1024**3


def supply(root: Path, name: str, **files: str) -> None:
    folder = root / name
    folder.mkdir(parents=True)
    for file, text in files.items():
        (folder / file).write_text(text + "\n")


@pytest.mark.skipif(sys.platform != "linux", reason="where Linux tells of its batteries")
def test_whether_a_laptop_lives_off_its_battery(tmp_path: Path) -> None:
    assert computer.on_battery(tmp_path / "nothing") is None
    mouse = tmp_path / "desktop"
    supply(mouse, "hidpp_battery_0", type="Battery", scope="Device", status="Discharging")
    assert computer.on_battery(mouse) is None
    plugged = tmp_path / "plugged"
    supply(plugged, "BAT0", type="Battery", status="Charging")
    supply(plugged, "AC", type="Mains", online="1")
    assert computer.on_battery(plugged) is False
    away = tmp_path / "away"
    supply(away, "BAT0", type="Battery", status="Unknown")
    supply(away, "BAT1", type="Battery", status="Discharging")
    supply(away, "AC", type="Mains", online="0")
    supply(away, "ucsi-source", type="USB", online="0")
    assert computer.on_battery(away) is True


def test_this_computer_tells_what_it_has() -> None:
    here = computer.machine()
    assert 0 < here.memory_free_bytes <= here.memory_total_bytes
    assert 0 <= here.swap_free_bytes <= here.swap_total_bytes
    assert 1 <= here.cores <= here.logical
    assert here.on_battery in (True, False, None)


def device(name: str, size: int, *, backend: str = "CUDA", host: str = "") -> Device:
    return Device(
        name=name, description="", kind="gpu", backend=backend, host=host,
        memory_free_bytes=size, memory_total_bytes=size,
    )  # fmt: skip


def test_a_report_is_believed_rather_than_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(device_memory.VARIABLE, "CUDA0=6.5G/8G, RPC0[x]=512m/1g,RPC1=9/5")
    report = device_memory.from_environment()
    assert report == {"CUDA0": (13 * GIB // 2, 8 * GIB), "RPC0[x]": (GIB // 2, GIB), "RPC1": (5, 5)}
    first, other = device_memory.believed((device("CUDA0", 80 * GIB), device("CUDA1", GIB)), report)
    assert (first.memory_free_bytes, first.memory_total_bytes) == (13 * GIB // 2, 8 * GIB)
    assert other == device("CUDA1", GIB)
    assert device_memory.problem() == ""
    monkeypatch.setenv(device_memory.VARIABLE, "CUDA0=much")
    assert device_memory.from_environment() == {}
    assert "“CUDA0=much”" in device_memory.problem()


def test_speeds_hold_for_the_devices_they_were_measured_on() -> None:
    speeds = tuple(DeviceSpeed(name=name, bandwidth_bytes_per_s=1e10, compute_flops=1e12) for name in ("CPU", "CUDA0"))
    known = Measured(
        key=machines.key(), build="b", devices=(device("CUDA0", 8 * GIB),), speeds=speeds, measured_ms=5, n_threads=3
    )
    before = machines.machine_of(known)
    assert (before.measured_ms, before.cores, before.devices) == (5, 3, known.devices)
    less_free = (device("CUDA0", 2 * GIB), device("RPC0", GIB, backend="RPC", host="192.0.2.7"))
    now = machines.machine_of(known, less_free)
    assert (now.measured_ms, now.devices) == (5, less_free)
    gone = machines.machine_of(known, ())
    assert (gone.measured_ms, gone.speeds, gone.devices) == (0, (), ())


@pytest.mark.skipif(sys.platform != "linux", reason="where Linux tells it")
def test_whether_large_pages_are_to_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = tmp_path / "enabled"
    assert computer.large_pages(told) is False
    for words, version, expected in (
        ("[always] madvise never", "glibc 2.31", True),
        ("always [madvise] never", "glibc 2.31", False),
        ("always [madvise] never", "glibc 2.35", True),
        ("always [madvise] never", None, False),
        ("always madvise [never]", "glibc 2.41", False),
    ):
        told.write_text(words + "\n")
        monkeypatch.setattr(os, "confstr", lambda name, version=version: version)
        assert computer.large_pages(told) is expected, (words, version)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"sys/fs/cgroup/memory.max": "max", "sys/fs/cgroup/memory.current": "5"}, []),
        (
            {  # the limit is that of the group around this one's
                "proc/self/cgroup": "1:name=systemd:/x\n0::/user.slice/app.scope",
                "sys/fs/cgroup/user.slice/memory.max": "1000",
                "sys/fs/cgroup/user.slice/memory.current": "700",
                "sys/fs/cgroup/user.slice/memory.stat": "anon 500\nfile 200",
                "sys/fs/cgroup/user.slice/app.scope/memory.max": "max",
                "sys/fs/cgroup/user.slice/app.scope/memory.current": "600",
            },
            [(1000, 500)],
        ),
        (
            {  # the older kind of control groups
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "1000",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": "800",
                "sys/fs/cgroup/memory/memory.stat": "cache 50\ntotal_cache 100",
            },
            [(1000, 300)],
        ),
    ],
)
def test_what_control_groups_leave(files: dict[str, str], expected: list[tuple[int, int]], tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    assert list(computer.group_limits(tmp_path)) == expected
