"""The worker as a device of another computer: libggml's own RPC server, for one client at a time.

    --listen HOST:PORT [--device NAME]... [--threads N] [--memory BYTES] [--until-eof]

Port 0 takes a free one. When it listens, one line goes to stdout: `listening on HOST:PORT`. It ends on SIGTERM and
SIGINT, with --until-eof also at the end of its input. --memory: it takes no more than so much of main memory for others
(POSIX). That protocol has no authentication and no encryption; who may reach it is decided by whoever starts it.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

FAILED = 1
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8  # malloc.h of glibc
_MAPPED_BYTES = 65536
_GREETING_S = 0.2
_TURN_S = 0.5  # so often the main thread looks up: not every system wakes a waiting one for a signal


def main(arguments: Sequence[str]) -> int:
    """Serve until told to end; the exit code."""
    given = _parser().parse_args(arguments)
    _give_memory_back()
    output = os.dup(1)
    os.dup2(2, 1)  # native code prints
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    from app.engine.errors import WorkerUnreachable
    from app.engine.worker import devices, llama, rpc
    from app.engine.worker.cores import physical_cores

    try:
        host, port = _free(given.listen)
        llama.start_backends()
        if given.memory:
            _limit(given.memory)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"cannot listen on {given.listen}: {error}\n")
        return FAILED
    endpoint = f"{host}:{port}"
    ended = threading.Event()

    def serve() -> None:
        try:
            devices.serve(endpoint, given.threads or physical_cores(), given.device)
        except LookupError as error:
            sys.stderr.write(f"{error}\n")
        finally:
            ended.set()

    def announce() -> None:
        while not ended.is_set():
            try:
                rpc.greet([endpoint], _GREETING_S)
            except WorkerUnreachable:
                ended.wait(_GREETING_S / 10)
                continue
            os.write(output, f"listening on {endpoint}\n".encode())
            return

    for name, work in (("rpc server", serve), ("rpc announcement", announce)):
        threading.Thread(target=work, name=name, daemon=True).start()
    if given.until_eof:
        threading.Thread(target=_end_with_input, name="rpc input", daemon=True).start()
    while not ended.wait(_TURN_S):
        pass
    sys.stderr.write(f"cannot listen on {endpoint}\n")
    sys.stderr.flush()
    os._exit(FAILED)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="--engine-worker")
    parser.add_argument("--listen", required=True)
    parser.add_argument("--device", action="append", default=[])
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--memory", type=int, default=0)
    parser.add_argument("--until-eof", action="store_true")
    return parser


def _free(endpoint: str) -> tuple[str, int]:
    """Address and port to listen on. Raises OSError if somebody else does, or it is not ours; ValueError.

    libggml neither tells why it cannot listen nor which port it took, and it wants numbers for a name.
    """
    name, _, port = endpoint.rpartition(":")
    host = socket.gethostbyname(name)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial:
        if os.name != "nt":
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        trial.bind((host, int(port)))
        return host, int(trial.getsockname()[1])


def _give_memory_back() -> None:
    """Have what is freed leave this process at once. glibc keeps it for later, and sets 64 MiB of addresses aside for
    each thread; both would count as taken from those who lend their memory."""
    change = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if change is not None:
        change(_M_ARENA_MAX, 1)
        change(_M_MMAP_THRESHOLD, _MAPPED_BYTES)


def _limit(size_bytes: int) -> None:
    """Bound what this process can take from now on."""
    if sys.platform == "win32":
        raise ValueError("memory cannot be limited here")
    import resource

    try:
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:  # no such file: what is mapped already is not told
        taken = 0
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (taken + size_bytes, hard))


def _end_with_input() -> None:
    while os.read(0, 4096):
        pass
    os._exit(0)
