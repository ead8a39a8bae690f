"""A Hub on loopback: its API (lists with filters, sorting and pages, repositories, trees, refs), limits and refusals.

Files are served by `Files` beside it, from a CDN on a port of its own. Behaviour that a test wants otherwise is told
beforehand: `answers` gives finished answers for a path, `hold` keeps requests waiting until they are let go.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

from tests.support.hub import api
from tests.support.hub.files import Answer, Cdn, Files, Seen, Server, send
from tests.support.hub.repository import Repository

GOOD_TOKEN = "hf_loopbackLoopbackLoopback"


class Hub(Server):
    """`repositories` may be changed at any time. `tokens` may see everything.

    `left` and `reset_s` are the rest of the API's limit; `renamed` maps old names to new ones; `seen` keeps requests.
    """

    def __init__(self, repositories: list[Repository] | None = None, *, direct: bool = False) -> None:
        self.repositories = {repository.id: repository for repository in repositories or []}
        self.cdn = Cdn()
        self.files = Files(self.repositories, self.cdn, direct=direct)
        self.tokens = self.files.tokens
        self.tokens.add(GOOD_TOKEN)
        self.renamed: dict[str, str] = {}
        self.answers: dict[str, list[Answer]] = {}
        self.always: dict[str, Answer] = {}
        self.left, self.reset_s = 500, 60
        self.seen: list[Seen] = []
        self.arrived = threading.Condition()
        self._held: dict[str, threading.Event] = {}
        super().__init__()

    def add(self, *repositories: Repository) -> None:
        """More repositories."""
        for repository in repositories:
            self.repositories[repository.id] = repository

    def asked(self, begin: str = "/api/") -> list[str]:
        """The paths (with queries) of all requests so far that begin so."""
        return [seen.path for seen in self.seen if seen.path.startswith(begin)]

    def wait_for(self, told: Callable[[Hub], bool], timeout_s: float = 20.0) -> None:
        """Waits until `told(self)` holds; looked at whenever a request came."""
        with self.arrived:
            if not self.arrived.wait_for(lambda: told(self), timeout_s):
                raise AssertionError(f"the Hub was not asked in time; it was asked {self.asked('/')}")

    @contextlib.contextmanager
    def hold(self, part: str) -> Iterator[None]:
        """Requests with `part` in their address wait until the block ends (or the server)."""
        event = self._held[part] = threading.Event()
        try:
            yield
        finally:
            event.set()
            self._held.pop(part, None)

    def close(self) -> None:
        for event in list(self._held.values()):
            event.set()
        super().close()
        self.cdn.close()

    def handle(self, request: http.server.BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length", "0")))
        with self.arrived:
            self.seen.append(Seen(request.command, request.path, dict(request.headers)))
            self.arrived.notify_all()
        for part, event in list(self._held.items()):
            if part in request.path:
                event.wait(60)
        send(request, self._answer(request.command, request.path, dict(request.headers), body))

    def _answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        parts = urllib.parse.urlsplit(target)
        query = urllib.parse.parse_qs(parts.query)
        if waiting := self.answers.get(parts.path):
            return waiting.pop(0)
        if parts.path in self.always:
            return self.always[parts.path]
        if not parts.path.startswith("/api/"):
            return self.files.resolve(method, target, headers) or self._raw(parts.path.split("/")[1:])
        if self.left <= 0:
            limits = {"RateLimit": f'"api";r=0;t={self.reset_s}', "Retry-After": str(self.reset_s)}
            return Answer(429, limits | {"RateLimit-Policy": '"fixed window";"api";q=500;w=300'}, b"Too many requests")
        self.left -= 1
        token = headers.get("Authorization", headers.get("authorization", "")).removeprefix("Bearer ")
        if token and token not in self.tokens:
            return Answer(401, {"X-Error-Message": "Invalid credentials in Authorization header"}, b"{}")
        if parts.path == "/api/whoami-v2":
            return _json({"name": "someone", "type": "user"}) if token else Answer(401, {}, b"{}")
        if parts.path == "/api/models":
            return self._list(query, bool(token))
        names = [urllib.parse.unquote(part) for part in parts.path.split("/")[3:]]
        return self._repository(names, parts.path, query, body, token)

    def _list(self, query: dict[str, list[str]], may_see: bool) -> Answer:
        matching = api.found(self.repositories.values(), query, may_see)
        size = min(1000, int(query.get("limit", ["100"])[0]))
        page, cursor = api.page_of(matching, query, size)
        rows = [api.row(repository, query, listed=True) for repository in page]
        return _json(rows, self._link("/api/models", query, cursor))

    def _repository(self, names: list[str], path: str, query: dict[str, list[str]], body: bytes, token: str) -> Answer:
        repo = "/".join(names[:2])
        if repo in self.renamed:
            return Answer(307, {"Location": path.replace(repo, self.renamed[repo], 1) + "?" + _encoded(query)})
        repository = self.repositories.get(repo)
        if repository is None or (repository.private and not token):
            return _refused(404 if token else 401, "RepoNotFound", "Repository not found")
        if repository.disabled:
            return Answer(403, {"X-Error-Message": "Access to this resource is disabled."}, b"{}")
        what = names[2] if len(names) > 2 else "revision"
        revision = names[3] if len(names) > 3 else "main"
        if what == "refs":
            return _json(api.refs(repository))
        if repository.resolves(revision) is None:
            return _refused(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        if what == "revision":
            return _json(api.row(repository, query, listed=False))
        if what == "tree":
            return self._tree(repository, path, "/".join(names[4:]), query)
        if what == "paths-info":
            return _json([api.entry(one, repository.files[one]) for one in _paths(body) if one in repository.files])
        return _refused(404, "EntryNotFound", "Not found")

    def _raw(self, names: list[str]) -> Answer:
        """A file as git has it: the pointer where the bytes lie elsewhere."""
        names = [urllib.parse.unquote(name) for name in names]
        repository = self.repositories.get("/".join(names[:2]))
        file = repository.file("/".join(names[4:])) if repository and names[2:3] == ["raw"] else None
        if file is None:
            return _refused(404, "EntryNotFound", "Not found")
        return Answer(200, {"ETag": f'"{file.oid}"'}, file.pointer if file.lfs else file.read())

    def _tree(self, repository: Repository, path: str, below: str, query: dict[str, list[str]]) -> Answer:
        recursive = query.get("recursive", ["false"])[0].lower() in ("true", "1")
        entries = api.tree(repository, below, recursive=recursive)
        if entries is None:
            return _refused(404, "EntryNotFound", f"{below} does not exist")
        size = min(api.TREE_PAGE, int(query.get("limit", [str(api.TREE_PAGE)])[0]))
        page, cursor = api.page_of(entries, query, size)
        return _json(page, self._link(path, query, cursor))

    def _link(self, path: str, query: dict[str, list[str]], cursor: str) -> dict[str, str]:
        limits = {
            "RateLimit": f'"api";r={self.left};t={self.reset_s}',
            "RateLimit-Policy": '"fixed window";"api";q=500;w=300',
        }
        if not cursor:
            return limits
        return limits | {"Link": f'<{self.url}{path}?{_encoded(query | {"cursor": [cursor]})}>; rel="next"'}


def _encoded(query: dict[str, list[str]]) -> str:
    return urllib.parse.urlencode(query, doseq=True)


def _json(value: Any, headers: dict[str, str] | None = None) -> Answer:
    return Answer(
        200, {"Content-Type": "application/json; charset=utf-8"} | (headers or {}), json.dumps(value).encode()
    )


def _refused(status: int, code: str, words: str) -> Answer:
    return Answer(
        status,
        {"X-Error-Code": code, "X-Error-Message": words, "Content-Type": "application/json"},
        json.dumps({"error": words}).encode(),
    )


def _paths(body: bytes) -> list[str]:
    """The paths of a question about files: a form from Python, JSON from JavaScript."""
    if body.startswith(b"{"):
        return list(json.loads(body)["paths"])
    return urllib.parse.parse_qs(body.decode()).get("paths", [])
