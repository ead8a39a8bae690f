"""One window per data folder: the first holds a locked file and listens; a second start asks it to show itself."""

from __future__ import annotations

import hashlib
import logging
import time
from pathlib import Path

from PySide6.QtCore import QLockFile, QObject, Signal

log = logging.getLogger(__name__)

_SHOW = b"show\n"
_SHOWN = b"shown\n"
ANSWER_MS = 2_000
PATIENCE_S = 10.0


def server_name(data: Path) -> str:
    """The local socket's name for a data folder: short enough for every system, different for every folder and user."""
    return "inglenook-" + hashlib.sha256(str(data.resolve()).encode()).hexdigest()[:24]


class Instance(QObject):
    """`show_requested`: somebody started the application again."""

    show_requested = Signal()

    def __init__(self, data: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._data = data
        self._lock: QLockFile | None = None
        self._server: QObject | None = None

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
        server.newConnection.connect(lambda: self._answer(server))
        if not server.listen(name):
            log.info("later starts cannot be answered: %s", server.errorString())
        self._server = server

    def _answer(self, server: QObject) -> None:
        from PySide6.QtNetwork import QLocalServer

        assert isinstance(server, QLocalServer)
        while (socket := server.nextPendingConnection()) is not None:
            socket.disconnected.connect(socket.deleteLater)
            socket.write(_SHOWN)
            socket.flush()
            self.show_requested.emit()

    def ask_first(self, patience_s: float = PATIENCE_S) -> bool:
        """Asks the first process to show its window; waits for its answer. False: nobody answered."""
        from PySide6.QtNetwork import QLocalSocket

        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            socket = QLocalSocket()
            socket.connectToServer(server_name(self._data))
            if socket.waitForConnected(ANSWER_MS):
                socket.write(_SHOW)
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
