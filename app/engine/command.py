"""Command lines and environment of the engine's processes. Nothing is started here."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from app.base.doors import door, module

_TUNABLES, _LARGE_PAGES = "GLIBC_TUNABLES", "glibc.malloc.hugetlb"


def worker_command() -> list[str]:
    """The real worker: this program itself."""
    return door("--engine-worker")


def rpc_server_command(
    endpoint: str, *, devices: Sequence[str] = (), threads: int = 0, memory_bytes: int = 0, until_eof: bool = True
) -> list[str]:
    """The worker as the RPC server of this computer's devices at HOST:PORT (worker/serving.py tells the rest)."""
    words = ["--listen", endpoint]
    words += [word for name in devices for word in ("--device", name)]
    words += ["--threads", str(threads)] if threads else []
    words += ["--memory", str(memory_bytes)] if memory_bytes else []
    words += ["--until-eof"] if until_eof else []
    return door("--engine-worker", *words)


def fake_command(script: str = "{}") -> list[str]:
    """The scripted worker (fake.py); `script` is JSON, or the path of a file that holds it."""
    return module("app.engine.fake", script)


def engine_environment() -> dict[str, str]:
    """Ours, and glibc is to ask for large pages for what the process allocates: weights, caches and buffers are found
    faster in them. Read when a process starts, so it cannot do that for itself. What the person has set stays."""
    tunables = os.environ.get(_TUNABLES, "")
    if sys.platform != "linux" or _LARGE_PAGES in tunables:
        return dict(os.environ)
    return {**os.environ, _TUNABLES: f"{tunables}:{_LARGE_PAGES}=1".lstrip(":")}
