"""The file side of a Hub on loopback: `resolve` with its headers, and a CDN on a port of its own that can misbehave.

`Files` answers `/{owner}/{name}/resolve/{revision}/{path}` for the Hub's server; `Cdn` is a server by itself, with
signed addresses that can end, ranges, and faults that are told beforehand. Nothing sleeps: what stalls waits until it
is let go or the server closes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import http.server
import itertools
import re
import socket
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterable

from tests.support.hub.repository import HubFile, Repository

_SLICE = 1 << 18
_RANGE = re.compile(r"bytes=(\d+)-(\d*)$")


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a request gets. `file` with `start` and `end` is served instead of `body`."""

    status: int
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    body: bytes = b""
    file: HubFile | None = None
    start: int = 0
    end: int = 0


@dataclasses.dataclass(frozen=True)
class Seen:
    """A request that came. `end` is one past the last byte asked for, None when no range was."""

    method: str
    path: str
    headers: dict[str, str]
    start: int = 0
    end: int | None = None


class Kind(enum.Enum):
    """What goes wrong."""

    DROP = "the connection closes before any answer"
    CUT = "the connection closes before byte `at`"
    STALL = "nothing more comes from byte `at` on"
    STATUS = "`status` is answered, with `headers`"
    SHORT = "the announced length and the body are one byte less"
    WRONG_RANGE = "206 with the Content-Range of other bytes"
    WRONG_TOTAL = "206 with a Content-Range that says another size of the whole"
    WRONG_BYTES = "byte `at` is another one"
    WHOLE = "the range is ignored: 200 and the whole file"
    OTHER_ETAG = "another ETag, as if the file had changed"
    LOOP = "redirected to itself"
    GZIP = "Content-Encoding says gzip, and it is not"


@dataclasses.dataclass
class Fault:
    """Happens to requests that cover byte `at` (any when None), `times` times (-1: always). `where` must be part of
    the address."""

    kind: Kind
    at: int | None = None
    times: int = 1
    status: int = 500
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    where: str = ""

    def due(self, path: str, start: int, end: int) -> bool:
        covered = self.at is None or start <= self.at < end or (self.at == start == end)
        return self.times != 0 and covered and self.where in path


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # a client that went away is what the tests are about


class Server:
    """A threaded HTTP server on a free loopback port whose open connections end with it."""

    def __init__(self) -> None:
        self.closing = threading.Event()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                super().setup()
                with outer._lock:
                    outer._open.add(self.connection)

            def finish(self) -> None:
                with outer._lock:
                    outer._open.discard(self.connection)
                with contextlib.suppress(OSError):
                    super().finish()

            def do_GET(self) -> None:
                try:
                    outer.handle(self)
                except OSError:
                    self.close_connection = True

            do_HEAD = do_POST = do_GET  # noqa: N815 - as http.server wants them called

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.005,), name=f"test-{type(self).__name__}", daemon=True
        )
        self._thread.start()

    def handle(self, request: http.server.BaseHTTPRequestHandler) -> None:
        """Answers one request."""
        raise NotImplementedError

    def close(self) -> None:
        """Ends the server and every connection. Idempotent."""
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
        self.disconnect()

    def disconnect(self) -> None:
        """Cuts every open connection, as a lost network does."""
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def titled(request: http.server.BaseHTTPRequestHandler) -> dict[str, str]:
    """The headers of a request, each named As-Usual."""
    return {name.title(): value for name, value in request.headers.items()}


def asked_range(headers: Iterable[tuple[str, str]] | dict[str, str], size: int) -> tuple[int, int] | None:
    """The range of a request as (start, end); None when there is none. `end` may lie beyond or before `start`."""
    given = dict(headers.items() if isinstance(headers, dict) else headers)
    found = _RANGE.match(next((value for name, value in given.items() if name.lower() == "range"), ""))
    if not found:
        return None
    return int(found[1]), min(size, int(found[2]) + 1) if found[2] else size


def send(request: http.server.BaseHTTPRequestHandler, answer: Answer) -> None:
    """Writes a whole answer without faults."""
    size = answer.end - answer.start if answer.file is not None else len(answer.body)
    request.send_response(answer.status)
    for name, value in ({"Content-Length": str(size)} | answer.headers).items():
        request.send_header(name, value)
    request.end_headers()
    if request.command == "HEAD":
        return
    if answer.file is None:
        request.wfile.write(answer.body)
        return
    for start in range(answer.start, answer.end, _SLICE):
        request.wfile.write(answer.file.read(start, min(answer.end, start + _SLICE)))


class Cdn(Server):
    """Serves signed addresses. `rate` limits each connection (bytes/s), `ranges` False answers 200 to all.

    `uses` is how many requests an address is good for (None: any number).
    """

    def __init__(self, *, rate: int = 0, ranges: bool = True, uses: int | None = None) -> None:
        self.rate = rate
        self.ranges = ranges
        self.uses = uses
        self.seen: list[Seen] = []
        self.faults: list[Fault] = []
        self.released = threading.Event()
        self.served = 0
        self._signed: dict[str, tuple[HubFile, list[int | None]]] = {}
        self._numbers = itertools.count(1)
        self._changed = threading.Condition()
        super().__init__()

    def sign(self, file: HubFile) -> str:
        """A new address for this file, as it is now."""
        signature = f"sig{next(self._numbers):06d}"
        self._signed[signature] = (file, [self.uses])
        name = urllib.parse.quote(file.path.rpartition("/")[2])
        return f"{self.url}/xet-bridge/{file.xet_hash or file.oid}?name={name}&Expires=1&Signature={signature}"

    def expire(self) -> None:
        """No address given so far is good any more."""
        for _, uses in self._signed.values():
            uses[0] = 0

    def fault(self, kind: Kind, at: int | None = None, **more: object) -> Fault:
        """Tells a fault beforehand."""
        fault = Fault(kind, at, **more)  # type: ignore[arg-type]
        self.faults.append(fault)
        return fault

    def wait_for(self, told: Callable[[Cdn], bool], timeout_s: float = 20.0) -> None:
        """Waits until `told(self)` holds; looked at whenever a request came or bytes went out."""
        with self._changed:
            if not self._changed.wait_for(lambda: told(self), timeout_s):
                raise AssertionError("the CDN did not come to this in time")

    def handle(self, request: http.server.BaseHTTPRequestHandler) -> None:
        parts = urllib.parse.urlsplit(request.path)
        signature = urllib.parse.parse_qs(parts.query).get("Signature", [""])[0]
        file, uses = self._signed.get(signature, (None, [0]))
        span = asked_range(titled(request), file.size) if file else None
        start, end = span if span is not None else (0, file.size if file else 0)
        with self._changed:
            seen = Seen(request.command, request.path, titled(request), start, end if span else None)
            self.seen.append(seen)
            fault = next((one for one in self.faults if one.due(request.path, start, end)), None)
            if fault is not None and fault.times > 0:
                fault.times -= 1
            if uses[0]:
                uses[0] -= 1
                expired = False
            else:
                expired = uses[0] == 0
            self._changed.notify_all()
        if fault is not None and fault.kind is Kind.DROP:
            request.close_connection = True
        elif fault is not None and fault.kind is Kind.STATUS:
            send(request, Answer(fault.status, fault.headers, b"no"))
        elif fault is not None and fault.kind is Kind.LOOP:
            send(request, Answer(302, {"Location": request.path}))
        elif file is None or expired:
            send(request, Answer(403, {"Content-Type": "text/xml"}, b"<Error><Code>AccessDenied</Code></Error>"))
        else:
            self._serve(request, file, span, fault)

    def _serve(
        self,
        request: http.server.BaseHTTPRequestHandler,
        file: HubFile,
        span: tuple[int, int] | None,
        fault: Fault | None,
    ) -> None:
        kind = None if fault is None else fault.kind
        start, end = span if span is not None else (0, file.size)
        if span is not None and start >= max(end, 1):
            send(request, Answer(416, {"Content-Range": f"bytes */{file.size}"}))
            return
        if not self.ranges or kind is Kind.WHOLE:
            start, end, span = 0, file.size, None
        if kind is Kind.SHORT:
            end -= 1
        headers = {
            "Content-Length": str(end - start),
            "Content-Type": "application/octet-stream",
            "ETag": f'"{"changed" if kind is Kind.OTHER_ETAG else file.xet_hash or file.oid}"',
        }
        if self.ranges:
            headers["Accept-Ranges"] = "bytes"
        if span is not None:
            moved = 1 if kind is Kind.WRONG_RANGE else 0
            total = file.size + (1 if kind is Kind.WRONG_TOTAL else 0)
            headers["Content-Range"] = f"bytes {start + moved}-{end - 1 + moved}/{total}"
        if kind is Kind.GZIP:
            headers["Content-Encoding"] = "gzip"
        request.send_response(206 if span is not None else 200)
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        if request.command == "GET":
            self._body(request, file, start, end, fault)

    def _body(
        self, request: http.server.BaseHTTPRequestHandler, file: HubFile, start: int, end: int, fault: Fault | None
    ) -> None:
        stop = end
        if fault is not None and fault.kind in (Kind.CUT, Kind.STALL):
            stop = start if fault.at is None else min(end, max(start, fault.at))
        slice_bytes = _SLICE if not self.rate else max(1, min(_SLICE, self.rate // 50))
        began = time.monotonic()
        for offset in range(start, stop, slice_bytes):
            block = file.read(offset, min(stop, offset + slice_bytes))
            if fault is not None and fault.kind is Kind.WRONG_BYTES:
                place = (start if fault.at is None else fault.at) - offset
                if 0 <= place < len(block):
                    block = block[:place] + bytes([block[place] ^ 0xFF]) + block[place + 1 :]
            request.wfile.write(block)
            with self._changed:
                self.served += len(block)
                self._changed.notify_all()
            if self.rate:
                ahead = (offset + len(block) - start) / self.rate - (time.monotonic() - began)
                if ahead > 0 and self.closing.wait(ahead):
                    break
        if fault is not None and fault.kind is Kind.STALL:
            while not (self.closing.is_set() or self.released.wait(0.05)):
                pass
        if stop < end or (fault is not None and fault.kind in (Kind.CUT, Kind.STALL)):
            request.close_connection = True
            with contextlib.suppress(OSError):
                request.connection.shutdown(socket.SHUT_RDWR)


class Files:
    """Answers `resolve`. `direct` serves every file itself, as mirrors do; `ranges` False ignores ranges then.

    `answers` gives, per path of a file, what comes first instead of the right answer; `tokens` are those that may see
    gated and private repositories.
    """

    def __init__(
        self, repositories: dict[str, Repository], cdn: Cdn, *, direct: bool = False, ranges: bool = True
    ) -> None:
        self.repositories = repositories
        self.cdn = cdn
        self.direct = direct
        self.ranges = ranges
        self.tokens: set[str] = set()
        self.answers: dict[str, list[Answer]] = {}
        self.changes: dict[str, dict[str, str]] = {}
        self.limit_left = 3000

    def resolve(self, method: str, target: str, headers: dict[str, str]) -> Answer | None:
        """The answer to a request of `/{owner}/{name}/resolve/{revision}/{path}`; None when `target` is something else.

        `changes` maps a file's path to headers that differ from the right ones.
        """
        parts = urllib.parse.urlsplit(target).path.split("/")
        if len(parts) < 6 or parts[3] != "resolve":
            return None
        plain = [urllib.parse.unquote(part) for part in parts]
        repository = self.repositories.get(f"{plain[1]}/{plain[2]}")
        path = "/".join(plain[5:])
        waiting = self.answers.get(path)
        if waiting:
            return waiting.pop(0)
        token = headers.get("Authorization", headers.get("authorization", "")).removeprefix("Bearer ")
        if repository is None or (repository.private and token not in self.tokens):
            return _refused(401, "RepoNotFound", "Repository not found")
        if repository.disabled:
            return Answer(403, {"X-Error-Message": "Access to this resource is disabled."})
        if repository.gated and token not in self.tokens:
            words = f"Access to model {repository.id} is restricted. You must be authenticated to access it."
            return _refused(403 if token else 401, "GatedRepo", words)
        commit = repository.resolves(plain[4])
        if commit is None:
            return _refused(404, "RevisionNotFound", f"Invalid rev id: {plain[4]}")
        file = repository.file(path)
        if file is None:
            return _refused(404, "EntryNotFound", "Entry not found")
        return self._found(method, file, commit, headers)

    def _found(self, method: str, file: HubFile, commit: str, headers: dict[str, str]) -> Answer:
        self.limit_left -= 1
        common = {
            "X-Repo-Commit": commit,
            "RateLimit": f'"resolvers";r={self.limit_left};t=69',
            "RateLimit-Policy": '"fixed window";"resolvers";q=3000;w=300',
        }
        if self.ranges:
            common["Accept-Ranges"] = "bytes"
        if file.lfs:
            common |= {
                "X-Linked-Size": str(file.size),
                "X-Linked-Etag": f'"{file.sha256}"',
                "X-Xet-Hash": file.xet_hash,
            }
        common |= self.changes.get(file.path, {})
        if file.lfs and not self.direct:
            return Answer(302, {**common, "Location": self.cdn.sign(file)}, b"")
        common["ETag"] = f'"{file.etag}"'
        span = asked_range(headers, file.size) if self.ranges and method == "GET" else None
        if span is None:
            return Answer(200, common, file=file, start=0, end=file.size)
        start, end = span
        if start >= max(end, 1):
            return Answer(416, {**common, "Content-Range": f"bytes */{file.size}"})
        return Answer(
            206, {**common, "Content-Range": f"bytes {start}-{end - 1}/{file.size}"}, file=file, start=start, end=end
        )


def _refused(status: int, code: str, words: str) -> Answer:
    return Answer(status, {"X-Error-Code": code, "X-Error-Message": words}, words.encode())


class FileHub(Server):
    """A Hub that knows nothing but `resolve`, for tests of downloading alone."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.seen: list[Seen] = []
        super().__init__()

    def handle(self, request: http.server.BaseHTTPRequestHandler) -> None:
        self.seen.append(Seen(request.command, request.path, titled(request)))
        answer = self.files.resolve(request.command, request.path, titled(request))
        send(request, answer or Answer(404, {}, b"no"))
