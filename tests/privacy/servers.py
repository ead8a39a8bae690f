"""Servers on loopback that say exactly what a test wants: over TCP or TLS, as a host, a proxy, or a wall of silence."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Answer:
    """What to send back. `cut`: send only so many bytes of the body, then hang up."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    before: Callable[[], object] | None = None


class Server:
    """Answers by path; an unknown path is a 404. `seen` is every request in order."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.answers: dict[str, Answer] = {}
        self.seen: list[Seen] = []
        self.scheme = "https" if context else "http"
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                outer.seen.append(Seen(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                path = self.path.partition("?")[0]
                found = outer.answers.get(path, Answer(404))
                if found.before is not None:
                    found.before()
                self.send_response(found.status)
                headers = {"Content-Length": str(len(found.body)), **found.headers}
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(found.body if found.cut is None else found.body[: found.cut])
                if found.cut is not None:
                    self.wfile.flush()
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True

            do_GET = do_POST = do_HEAD = answer  # noqa: N815 - the base class's names

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, request: object, client_address: object) -> None:
                pass  # a client that hangs up or distrusts us is what the tests are about

            def finish_request(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
                if context is None:
                    super().finish_request(request, client_address)
                    return
                request.settimeout(10)
                with context.wrap_socket(request, server_side=True) as secure:
                    super().finish_request(secure, client_address)

        self._server = Quiet(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.005,), daemon=True)
        self._thread.start()

    @property
    def origin(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


class Silent:
    """Takes connections and says `first`, then nothing, until it is closed. `arrived` is released per connection."""

    def __init__(self, first: bytes = b"") -> None:
        self._first = first
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.origin = f"http://127.0.0.1:{self.port}"
        self.arrived = threading.Semaphore(0)
        self._held: list[socket.socket] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                one, _ = self._socket.accept()
                self._held.append(one)
                one.recv(65536)
                one.sendall(self._first)
                self.arrived.release()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for one in self._held:
            one.close()
        self._thread.join(5)


class Proxy:
    """A forwarding proxy: CONNECT and absolute addresses. Every name leads to `port` on loopback. `asked` is what for.

    `refuse` is a status line for everything, as a proxy without a password gives."""

    def __init__(self, port: int, refuse: str = "") -> None:
        self._port = port
        self._refuse = refuse
        self.asked: list[str] = []
        self.headers: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.origin = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                one, _ = self._socket.accept()
                threading.Thread(target=self._serve, args=(one,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with near, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                got = near.recv(65536)
                if not got:
                    return
                head += got
            self.asked.append(head.split(b"\r\n", 1)[0].decode())
            self.headers.append(head)
            if self._refuse:
                near.sendall(f"HTTP/1.1 {self._refuse}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
                return
            with socket.create_connection(("127.0.0.1", self._port), 10) as far:
                if head.startswith(b"CONNECT "):
                    near.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
                else:
                    far.sendall(head)
                back = threading.Thread(target=_pump, args=(far, near), daemon=True)
                back.start()
                _pump(near, far)
                back.join(5)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(65536):
            target.sendall(chunk)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def unused_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


class Authority:
    """A certificate authority of our own, made with the openssl command."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True)
        self.file = folder / "ca.pem"
        self._openssl(
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=Loopback authority",
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign",
            "-keyout", "ca.key", "-out", "ca.pem",
        )  # fmt: skip

    def context(self, *names: str, days: int = 2) -> ssl.SSLContext:
        """A server's context with a certificate for `names` (IP:127.0.0.1, DNS:example.test)."""
        label = f"leaf{len(list(self._folder.glob('*.crt')))}"
        (self._folder / f"{label}.ext").write_text(f"subjectAltName={','.join(names)}\n")
        self._openssl(
            "req",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-subj",
            "/CN=leaf",
            "-keyout",
            f"{label}.key",
            "-out",
            f"{label}.csr",
        )
        self._openssl(
            "x509", "-req", "-in", f"{label}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", str(days), "-extfile", f"{label}.ext", "-out", f"{label}.crt",
        )  # fmt: skip
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._folder / f"{label}.crt", self._folder / f"{label}.key")
        return context

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self._folder, check=True, capture_output=True)


@contextlib.contextmanager
def closing(*servers: Server | Silent | Proxy) -> Iterator[None]:
    """Closes them at the end."""
    try:
        yield
    finally:
        for server in servers:
            server.close()
