"""The command lines of the engine's processes. Nothing is started here."""

from __future__ import annotations

from collections.abc import Sequence

from app.base.doors import door, module


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
