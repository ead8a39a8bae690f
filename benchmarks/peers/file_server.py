"""A Hub that knows one file, and its CDN on another port: `python -m benchmarks.peers.file_server FILE`.

Prints one JSON line with both addresses, then answers one line for each line it reads: `{"rate": bytes per second of
each connection, 0 for no limit}`. Bytes leave by sendfile, so that the server costs as little as it can. It ends with
its input.
"""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import threading
import time
from pathlib import Path

BLOCK = 1 << 20
COMMIT = "c" * 40
_RANGE = re.compile(rb"(?im)^range: bytes=(\d+)-(\d+)")


class Server:
    """Two listening sockets and a thread per connection."""

    def __init__(self, path: Path) -> None:
        self.rate = 0
        self._file = os.open(path, os.O_RDONLY)
        self._size = path.stat().st_size
        self.hub, self.cdn = (f"http://127.0.0.1:{self._listen(kind)}" for kind in ("hub", "cdn"))

    def _listen(self, kind: str) -> int:
        listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        threading.Thread(target=self._accept, args=(listening, kind), daemon=True).start()
        return int(listening.getsockname()[1])

    def _accept(self, listening: socket.socket, kind: str) -> None:
        while True:
            connection, _ = listening.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection, kind), daemon=True).start()

    def _serve(self, connection: socket.socket, kind: str) -> None:
        rest = b""
        try:
            while True:
                while b"\r\n\r\n" not in rest:
                    part = connection.recv(65536)
                    if not part:
                        return
                    rest += part
                head, _, rest = rest.partition(b"\r\n\r\n")
                if kind == "hub":
                    self._lead_on(connection)
                else:
                    self._send(connection, head)
        except OSError:
            return
        finally:
            connection.close()

    def _lead_on(self, connection: socket.socket) -> None:
        connection.sendall(
            (
                f"HTTP/1.1 302 Found\r\nLocation: {self.cdn}/file\r\nX-Linked-Size: {self._size}\r\n"
                f"X-Repo-Commit: {COMMIT}\r\nContent-Length: 0\r\n\r\n"
            ).encode()
        )

    def _send(self, connection: socket.socket, head: bytes) -> None:
        asked = _RANGE.search(head)
        start, end = (int(asked[1]), int(asked[2]) + 1) if asked else (0, self._size)
        status = "206 Partial Content" if asked else "200 OK"
        connection.sendall(
            (
                f'HTTP/1.1 {status}\r\nContent-Length: {end - start}\r\nETag: "file"\r\n'
                f"Content-Range: bytes {start}-{end - 1}/{self._size}\r\n\r\n"
            ).encode()
        )
        began, first, rate = time.perf_counter(), start, self.rate
        while start < end:
            block = min(end - start, BLOCK if not rate else max(1, rate // 50))
            start += os.sendfile(connection.fileno(), self._file, start, block)
            if rate and (ahead := (start - first) / rate - (time.perf_counter() - began)) > 0:
                time.sleep(ahead)


def main() -> None:
    server = Server(Path(sys.argv[1]))
    print(json.dumps({"hub": server.hub, "cdn": server.cdn}), flush=True)
    for line in sys.stdin:
        server.rate = int(json.loads(line)["rate"])
        print(json.dumps({"rate": server.rate}), flush=True)


if __name__ == "__main__":
    main()
