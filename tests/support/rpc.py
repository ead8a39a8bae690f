"""Further devices for tests: RPC servers on loopback, each a real process that ends with its block."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, cast

from app.engine.command import rpc_server_command


@dataclass(frozen=True)
class RpcWorker:
    """A device that listens on `endpoint`; by ggml's names RPC0 for whoever adds it first."""

    endpoint: str
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        """It is gone, as if its computer had been switched off."""
        self.process.kill()
        self.process.wait()


@contextmanager
def rpc_worker(*, memory_bytes: int = 0, endpoint: str = "127.0.0.1:0") -> Iterator[RpcWorker]:
    """A worker on a free port that lends one thread of the processor; it ends with the block, and with this process.

    `memory_bytes` bounds what it can take for others (RLIMIT_AS).
    """
    process = subprocess.Popen(
        rpc_server_command(endpoint, devices=("CPU",), threads=1, memory_bytes=memory_bytes),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        line = cast(BinaryIO, process.stdout).readline().decode()  # ends with the process, if that cannot listen
        assert line.startswith("listening on "), line
        yield RpcWorker(line.removeprefix("listening on ").strip(), process)
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            cast(BinaryIO, stream).close()
