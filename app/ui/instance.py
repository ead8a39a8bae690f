"""One window per data folder: the first holds a locked file and listens; a second start asks it to show itself, and
hands it the file that it was started with."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QLockFile, QObject, Signal

if TYPE_CHECKING:
    from PySide6.QtNetwork import QLocalServer, QLocalSocket

log = logging.getLogger(__name__)

# A wish is a line: what is wanted, then for a file its path as JSON, in which any name is one line.
_SHOW = b"show\n"
_OPEN = b"open "
_SHOWN = b"shown\n"
LONGEST_BYTES = 64 * 1024
ANSWER_MS = 2_000
PATIENCE_S = 10.0


def server_name(data: Path) -> str:
    """The local socket's name for a data folder: short enough for every system, different for every folder and user."""
    return "inglenook-" + hashlib.sha256(str(data.resolve()).encode()).hexdigest()[:24]


class Instance(QObject):
    """`show_requested`: somebody started the application again; `file_requested`: and gave it this Path to open."""

    show_requested = Signal()
    file_requested = Signal(object)

    def __init__(self, data: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._data = data
        self._lock: QLockFile | None = None
        self._server: QLocalServer | None = None

    def claim(self) -> bool:
        """Whether this process is the one. A folder in which no lock can be kept is claimed by everyone."""
        try:
            self._data.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            log.info("no lock can be kept: %s", error)
            return True
        lock = QLockFile(str(self._data / "window.lock"))
        lock.setStaleLockTime(0)
        if lock.tryLock(0):
            self._lock = lock
            return True
        return lock.error() is not QLockFile.LockError.LockFailedError

    def listen(self) -> None:
        """Answers later starts from now on. The network module of Qt is imported here, after the first paint."""
        if self._lock is None:
            return
        from PySide6.QtNetwork import QLocalServer

        name = server_name(self._data)
        QLocalServer.removeServer(name)  # what a killed process left; the lock says that it is gone
        server = QLocalServer(self)
        server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        server.newConnection.connect(self._meet)
        if not server.listen(name):
            log.info("later starts cannot be answered: %s", server.errorString())
        self._server = server

    # Methods, no lambdas: one that holds this object would take it, and with it the server, away in the middle of the
    # server's own destruction.

    def _meet(self) -> None:
        while self._server is not None and (socket := self._server.nextPendingConnection()) is not None:
            socket.disconnected.connect(socket.deleteLater)
            socket.readyRead.connect(self._hear)
            self._answer(socket)  # what was there before anybody heard of it

    def _hear(self) -> None:
        from PySide6.QtNetwork import QLocalSocket

        if isinstance(socket := self.sender(), QLocalSocket):
            self._answer(socket)

    def _answer(self, socket: QLocalSocket) -> None:
        if not socket.canReadLine():
            if socket.bytesAvailable() > LONGEST_BYTES:
                socket.abort()
            return
        wish = bytes(socket.readLine().data())
        socket.write(_SHOWN)
        socket.flush()
        self.show_requested.emit()
        if wish.startswith(_OPEN):
            self.file_requested.emit(Path(json.loads(wish.removeprefix(_OPEN))))

    def ask_first(self, file: Path | None = None, patience_s: float = PATIENCE_S) -> bool:
        """Asks the first process to show its window, and to open the file; waits for its answer. False: nobody
        answered."""
        from PySide6.QtNetwork import QLocalSocket

        wish = _SHOW if file is None else _OPEN + json.dumps(str(file)).encode() + b"\n"
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            socket = QLocalSocket()
            socket.connectToServer(server_name(self._data))
            if socket.waitForConnected(ANSWER_MS):
                socket.write(wish)
                socket.flush()
                if socket.waitForReadyRead(ANSWER_MS) and bytes(socket.readAll().data()) == _SHOWN:
                    return True
            time.sleep(0.1)  # the first process may be about to listen
        return False

    def release(self) -> None:
        """Gives the folder free."""
        if self._server is not None:
            self._server.deleteLater()
            self._server = None
        if self._lock is not None:
            self._lock.unlock()
            self._lock = None
