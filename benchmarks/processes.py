"""Child processes of the measurements: bounded in time, ended by their own id, and what they cost in memory and CPU."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
LEAVE_S = 5.0


def clean_environment() -> dict[str, str]:
    """This process's environment, in which Python keeps its bytecode as it does on any person's machine."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


class BenchmarkError(RuntimeError):
    """A measurement could not be taken; the message says why."""


class Peer:
    """A process that answers one JSON line for each JSON line it gets. Its stderr goes to a file under build/."""

    def __init__(self, module: str, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        self.name = module.rpartition(".")[2]
        logs = BUILD / "bench-logs"
        logs.mkdir(parents=True, exist_ok=True)
        self._log_path = logs / f"{self.name}.log"
        with self._log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**clean_environment(), **(environment or {})},
            )
        self._rest = b""

    def ask(self, *, timeout_s: float = 120.0, **question: Any) -> dict[str, Any]:
        """Sends the question and waits for the answer. Raises BenchmarkError when it does not come in time."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(question).encode() + b"\n")
        self.process.stdin.flush()
        return self.read(timeout_s=timeout_s)

    def read(self, *, timeout_s: float = 120.0) -> dict[str, Any]:
        """The next line of the process."""
        assert self.process.stdout is not None
        descriptor = self.process.stdout.fileno()
        deadline = time.monotonic() + timeout_s
        while b"\n" not in self._rest:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                raise BenchmarkError(f"{self.name} said nothing for {timeout_s:.0f} s")
            part = os.read(descriptor, 65536)
            if not part:
                raise BenchmarkError(f"{self.name} ended early, see {self._log_path.relative_to(ROOT)}")
            self._rest += part
        line, _, self._rest = self._rest.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End of its input asks it to leave; it is killed when it does not."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        end(self.process)
        self.process.stdout.close()

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def run_once(module: str, *arguments: str, environment: Mapping[str, str], limit_s: float) -> dict[str, float]:
    """Runs a module in a process of its own, to its end; the numbers it printed as JSON. Raises BenchmarkError."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**clean_environment(), **environment},
        timeout=limit_s,
        check=False,
    )
    answers = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode != 0 or not answers:
        what = " ".join((module, *arguments))
        raise BenchmarkError(f"{what} ended with {done.returncode}: {(done.stderr or done.stdout).strip()[-400:]}")
    numbers: dict[str, float] = json.loads(answers[-1])
    return numbers


def end(process: subprocess.Popen[bytes], *, ask: bool = False) -> None:
    """Waits a moment for the process to leave (`ask`: after a polite signal), then kills it. Always reaps it."""
    if ask and process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(LEAVE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def process_tree(pid: int) -> list[int]:
    """The process and all its descendants that live now (Linux)."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # pid (name, which may hold anything) state ppid ...
            fields = stat.read_text(errors="replace").rpartition(")")[2].split()
            parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found = [pid]
    for one in found:
        found.extend(parents.get(one, ()))
    return found


def pss_mb(pid: int) -> float:
    """Proportional set size of the process tree, in MB of 10^6 bytes: shared pages count once among all their users."""
    total_kb = 0
    for one in process_tree(pid):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total_kb += int(line.split()[1])
    return total_kb * 1024 / 1e6


def cpu_s(pid: int) -> float:
    """CPU time the process has used so far, user and system, all threads (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def display() -> Iterator[tuple[dict[str, str], str]]:
    """Environment for Qt processes with a screen of their own, and its name: Xvfb if installed, else Qt's offscreen."""
    read_end, write_end = os.pipe()
    try:
        server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(write_end), "-screen", "0", "1600x1200x24", "-nolisten", "tcp"],
            pass_fds=[write_end],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        os.close(read_end)
        os.close(write_end)
        yield {"QT_QPA_PLATFORM": "offscreen"}, "offscreen"
        return
    try:
        os.close(write_end)
        ready = select.select([read_end], [], [], 20)[0]
        number = os.read(read_end, 16).decode().strip() if ready else ""
        if not number:
            raise BenchmarkError("Xvfb did not start")
        yield {"QT_QPA_PLATFORM": "xcb", "DISPLAY": f":{number}"}, "Xvfb"
    finally:
        os.close(read_end)
        end(server, ask=True)
