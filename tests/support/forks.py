"""Commands in forks of one process that has imported what they import, which would else be most of their time.

Each is a process of its own all the same, enters by the same door, and has its own folder, environment, output and end.
"""

from __future__ import annotations

import atexit
import functools
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

GUARD_S = 120


class Forks:
    """The process that forks, and the line to it."""

    def __init__(self) -> None:
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                cwd=Path(__file__).resolve().parents[2],
            )

    def run(self, arguments: Sequence[str], environment: Mapping[str, str], cwd: Path) -> tuple[int, str, str]:
        """Exit code, standard output and standard error of one command, whose standard input is empty."""
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            asked = json.dumps([list(arguments), dict(environment), str(cwd)]).encode()
            socket.send_fds(self._line, [asked], [output.fileno(), errors.fileno()])
            code = int(self._line.recv(16))
            output.seek(0)
            errors.seek(0)
            return code, output.read().decode(), errors.read().decode()

    def close(self) -> None:
        """Ends it."""
        self._line.close()
        self._process.wait()


@functools.cache
def forks() -> Forks:
    """The one of this process, started when it is first wanted."""
    made = Forks()
    atexit.register(made.close)
    return made


def serve(line: socket.socket) -> int:
    """Forks for what comes along the line, one after the other; in a fork, runs the command."""
    import app.bootstrap
    import app.cli.main
    import app.store.store  # noqa: F401
    from app.__main__ import main

    gc.freeze()
    while True:
        asked, outputs, _, _ = socket.recv_fds(line, 1 << 20, 2)
        if not asked:
            return 0
        child = os.fork()
        if not child:
            break
        for output in outputs:
            os.close(output)
        line.send(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])).encode())
    signal.alarm(GUARD_S)
    line.close()
    for standard, output in enumerate(outputs, start=1):
        os.dup2(output, standard)
        os.close(output)
    sys.argv[1:], environment, cwd = json.loads(asked)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    return main()


if __name__ == "__main__":
    sys.exit(serve(socket.socket(fileno=int(sys.argv[1]))))
