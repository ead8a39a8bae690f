"""The worker process: its descriptors, its main thread that reads commands, and its end.

The main thread does nothing slow, so that Cancel and Ping are heard while tokens flow; all work is on the loop's
thread.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import BinaryIO

import msgspec

from app.engine import protocol, wire
from app.engine.protocol import Cancel, Code, Event, Failed, Hello, Ping, Pong, Shutdown
from app.engine.wire import FrameError

EXIT_LIMIT_S = 2.5  # for the native call under way to end, and for snapshots; then the process ends without them
BAD_STREAM = 2

_PR_SET_PDEATHSIG = 1


class _Output:
    """Writes frames, whole ones, from any thread. A parent that is gone ends the process."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def send(self, event: Event) -> None:
        frame = memoryview(wire.pack(event))
        with self._lock:
            try:
                while frame:
                    frame = frame[os.write(self._descriptor, frame) :]
            except OSError:
                os._exit(0)  # nobody is left to tell


def main(arguments: Sequence[str] = ()) -> int:
    """Run a worker until Shutdown or the end of input: frames come on stdin and go to the stdout it was given.

    With `--listen` it serves this computer's devices to others instead (serving.py).
    """
    # libggml would call a debugger before it aborts: seconds, and so many lines that the one that tells why is lost.
    os.environ.setdefault("GGML_NO_BACKTRACE", "1")
    if arguments:
        from app.engine.worker.serving import main as serve

        return serve(arguments)
    _die_with_parent()
    commands, output = _private_streams()
    # Ctrl-C in a terminal reaches the whole group; the parent then stops this process in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _wait_briefly()
    from app.engine.worker import llama  # after the descriptors: its libraries may print
    from app.engine.worker.loop import Loop

    loop = Loop(output.send)
    output.send(Hello(protocol=protocol.VERSION, pid=os.getpid(), llama_cpp=llama.package_version()))
    loop.start()
    status = 0
    try:
        for body in wire.read_bodies(commands):
            try:
                command = wire.unpack_command(body)
            except FrameError as error:
                output.send(_misunderstood(body, str(error)))
                continue
            match command:
                case Ping(n=n):
                    output.send(Pong(n=n))
                case Cancel(target=target):
                    loop.cancel(target)
                case Shutdown():
                    break
                case _:
                    loop.submit(command)
    except (FrameError, OSError) as error:
        sys.stderr.write(f"the commands cannot be read any more: {error}\n")
        status = BAD_STREAM
    loop.stop(EXIT_LIMIT_S)
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.flush()
    # Not through the interpreter's end: native threads may still run, and freeing a model takes time that nobody needs.
    os._exit(status)


def _misunderstood(body: bytes, detail: str) -> Failed:
    """The answer to a frame that is no command: unknown, if it is a map with a tag that is not known, else bad."""
    known = {kind.__struct_config__.tag for kind in protocol.Command.__args__}
    with contextlib.suppress(msgspec.MsgspecError):
        frame = msgspec.msgpack.decode(body)
        if isinstance(frame, dict):
            request = frame.get("id")
            request = request if isinstance(request, int) else 0
            code = Code.BAD_FRAME if frame.get("t") in known else Code.UNKNOWN_COMMAND
            return Failed(id=request, code=code, detail=detail)
    return Failed(id=0, code=Code.BAD_FRAME, detail=detail)


def _private_streams() -> tuple[BinaryIO, _Output]:
    """Commands and events on descriptors of their own; what prints to fd 1 lands on stderr, fd 0 is empty."""
    commands, events = os.dup(0), os.dup(1)
    if sys.platform == "win32":
        import msvcrt

        for descriptor in (commands, events):
            msvcrt.setmode(descriptor, os.O_BINARY)
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return os.fdopen(commands, "rb"), _Output(events)


def _wait_briefly() -> None:
    """Let GNU OpenMP's threads spin some 0.1 ms for each other, not its usual many milliseconds, and sleep then.

    On a busy machine the usual spinning takes the cores from the very thread that is waited for: measured with other
    processes computing on two cores, 5 tokens/s against 12 to 30. On a quiet one the threads never wait that long. What
    the person has set stays.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "5000")


def _die_with_parent() -> None:
    """Linux: be killed when the parent is gone. Elsewhere the end of input says so, as soon as it is read."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
