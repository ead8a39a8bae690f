"""This computer as a device of another one: runs the RPC server of the engine's own library until it is interrupted.

Its protocol has neither a password nor encryption; who asks for an address that others can reach must know that.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from types import FrameType

from app.engine.command import engine_environment, rpc_server_command
from app.privacy.policy import target_of_worker

END_S = 5.0


def is_endpoint(endpoint: str) -> bool:
    """Whether this is HOST:PORT; port 0 takes a free one."""
    return target_of_worker(_with_port(endpoint)) is not None


def is_here(endpoint: str) -> bool:
    """Whether only this computer itself can reach it."""
    target = target_of_worker(_with_port(endpoint))
    return target is not None and target.local


def _with_port(endpoint: str) -> str:
    host, _, port = endpoint.rpartition(":")
    return f"{host}:1" if port == "0" else endpoint


def lend(endpoint: str, threads: int, say: Callable[[str], None]) -> int:
    """Serves until SIGINT or SIGTERM, on the main thread; `say` gets the line that it listens. The exit code: 0 when it
    was told to end."""
    process = subprocess.Popen(
        rpc_server_command(endpoint, threads=threads),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=engine_environment(),
    )
    asked = False

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        process.terminate()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        assert process.stdout is not None
        for line in process.stdout:
            say(line.decode(errors="replace").strip())
        code = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        process.kill()
        process.wait(END_S)
    return 0 if asked else code
