"""Getting a file: against curl, with several connections against one, and what it costs the processor.

Hub and CDN are one process of their own on loopback that sends by sendfile. Every run of ours verifies the sha256 and
brings the file to the disk before it counts as done.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from app.hub.client import prepare
from app.hub.downloader import Downloader
from app.hub.pace import Manner
from app.hub.surroundings import Surroundings
from app.hub.values import Download, RemoteFile
from app.privacy.gate import Gate
from app.privacy.policy import Policy
from benchmarks.figures import Figure, Paired, median_interval, ratio_figure, run_pairs
from benchmarks.peers.file_server import COMMIT
from benchmarks.processes import BUILD, BenchmarkError, Peer

FAST_BYTES = 256_000_000
SLOW_BYTES = 96_000_000
STEADY_BYTES = 400_000_000
RATE = 20_000_000
STEADY = 100_000_000
STEADY_RUNS = 7
CONNECTIONS = 8
NAME = "model-Q4_K_M.gguf"


class _Place:
    """A file of random bytes, who serves it, and a folder to download into."""

    def __init__(self, folder: Path, size: int) -> None:
        self._folder = folder
        self.size = size
        source = folder / "served.bin"
        digest = hashlib.sha256()
        with source.open("wb") as file:
            for start in range(0, size, 1 << 24):
                block = os.urandom(min(1 << 24, size - start))
                digest.update(block)
                file.write(block)
        self.sha256 = digest.hexdigest()
        self.server = Peer("benchmarks.peers.file_server", str(source))
        addresses = self.server.read()
        self.hub, self.cdn = str(addresses["hub"]), str(addresses["cdn"])
        self.gate = Gate(lambda: Policy(online=True, hub=self.hub))
        prepare(self.gate)

    def rate(self, bytes_per_s: int) -> None:
        """Limits each connection."""
        self.server.ask(rate=bytes_per_s)

    def ours(self, connections: int = CONNECTIONS) -> float:
        """MB/s of one download of ours, from asking the Hub to the verified file in its place."""
        with self._empty() as folder:
            download = Download(
                id="bench",
                endpoint=self.hub,
                repo="acme/bench",
                commit=COMMIT,
                label="Q4_K_M",
                files=(RemoteFile(path=NAME, size_bytes=self.size, sha256=self.sha256),),
                folder=str(folder),
            )
            around = Surroundings(self.gate, _spawn, manner=Manner(connections=connections))
            began = time.perf_counter()
            Downloader(around, download).run()
            return self.size / 1e6 / (time.perf_counter() - began)

    def curl(self, *, at_once: bool = False) -> float:
        """MB/s of curl and sha256sum, one after the other or (`at_once`) through a pipe with tee and openssl."""
        with self._empty() as folder:
            target = folder / NAME
            address = f"{self.cdn}/file"
            began = time.perf_counter()
            if at_once:
                line = f"curl -sS '{address}' | tee '{target}' | openssl dgst -sha256 -r"
                answer = subprocess.run(["bash", "-o", "pipefail", "-c", line], check=True, capture_output=True)
            else:
                subprocess.run(["curl", "-sS", "-o", str(target), address], check=True)
                answer = subprocess.run(["sha256sum", str(target)], check=True, capture_output=True)
            took = time.perf_counter() - began
            if not answer.stdout.startswith(self.sha256.encode()):
                raise BenchmarkError("curl brought other bytes")
            return self.size / 1e6 / took

    @contextlib.contextmanager
    def _empty(self) -> Iterator[Path]:
        """A fresh folder; nothing of a former run is still on its way to the disk."""
        os.sync()
        with tempfile.TemporaryDirectory(dir=self._folder) as name:
            yield Path(name)

    def close(self) -> None:
        self.gate.close()
        self.server.close()


def _spawn(name: str, run: Callable[[], None]) -> None:
    threading.Thread(target=run, name=name, daemon=True).start()


@contextlib.contextmanager
def _place(size: int) -> Iterator[_Place]:
    BUILD.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-downloads-", dir=BUILD))
    try:
        place = _Place(folder, size)
        try:
            yield place
        finally:
            place.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def download_vs_curl(pairs: int) -> list[Figure]:
    """One file from one fast server, sha256 included, against curl and sha256sum."""
    _need("curl", "sha256sum")
    with _place(FAST_BYTES) as place:
        place.ours()
        paired: Paired = run_pairs(place.ours, place.curl, pairs)
    more = "curl writes the file, sha256sum reads it; ours is also brought to the disk (fsync)"
    return [ratio_figure("download_vs_curl", paired, "MB/s", at_least=0.9, more=more)]


def download_vs_curl_pipe(pairs: int) -> list[Figure]:
    """The same against a pipe that hashes while it writes, as fast as these tools can."""
    _need("curl", "tee", "openssl", "bash")
    with _place(FAST_BYTES) as place:
        place.ours()
        paired: Paired = run_pairs(place.ours, lambda: place.curl(at_once=True), pairs)
    return [ratio_figure("download_vs_curl_pipe", paired, "MB/s", more="curl | tee FILE | openssl dgst -sha256")]


def download_ranges(pairs: int) -> list[Figure]:
    """A server that gives each connection 20 MB/s: eight ranges against one connection."""
    with _place(SLOW_BYTES) as place:
        place.rate(RATE)
        place.ours()
        paired: Paired = run_pairs(place.ours, lambda: place.ours(1), pairs)
    return [ratio_figure("download_ranges", paired, "MB/s", at_least=6.0, more="of at most 8")]


def download_cpu(pairs: int) -> list[Figure]:
    """Cores in use while 100 MB/s come over eight connections, hashing and writing included."""
    shares: list[float] = []
    speeds: list[float] = []
    with _place(STEADY_BYTES) as place:
        place.rate(STEADY // CONNECTIONS)
        for _ in range(STEADY_RUNS):
            before, began = _cpu_s(), time.perf_counter()
            place.ours()
            took = time.perf_counter() - began
            # for exactly 100 MB/s, whatever speed it was
            shares.append((_cpu_s() - before) / (STEADY_BYTES / STEADY))
            speeds.append(STEADY_BYTES / 1e6 / took)
    interval = median_interval(shares)
    note = (
        f"95 % [{interval.low:.3f}, {interval.high:.3f}], {STEADY_RUNS} runs at {statistics.median(speeds):.0f} MB/s; "
        f"sha256 alone takes {_sha256_share():.3f} of a core here"
    )
    return [Figure("download_cpu", interval.value, "cores", note, at_most=0.5, low=interval.low, high=interval.high)]


def _cpu_s() -> float:
    used = os.times()
    return used.user + used.system


def _sha256_share() -> float:
    """Cores that sha256 needs for 100 MB/s on this machine: the median of some runs."""
    block = os.urandom(1 << 20)
    shares = []
    for _ in range(9):
        began = time.thread_time()
        digest = hashlib.sha256()
        for _ in range(48):
            digest.update(block)
        shares.append((time.thread_time() - began) / (48 * len(block) / STEADY))
    return statistics.median(shares)


def _need(*programs: str) -> None:
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        raise BenchmarkError(f"not installed: {', '.join(missing)}")
