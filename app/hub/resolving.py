"""Where the bytes of a file are right now: the Hub's `resolve` address is asked, and its answer compared with what was
promised.

The address it leads to is signed and ends after a while; asking again gives another one, for the same bytes. The access
token travels with requests to the Hub alone.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from urllib.parse import urljoin, urlsplit

import msgspec

from app.hub.errors import broken_answer, from_answer
from app.hub.failures import FileChanged, ServerUnusable
from app.hub.parts import Promise
from app.privacy.gate import Gate

MAX_HOPS = 5
RESOLVE_TIMEOUT = (10.0, 20.0, 20.0, 20.0)
"""Connect, read, write, wait for a free connection: seconds."""

_COMMIT = re.compile(r"[0-9a-f]{40}\Z", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}\Z", re.ASCII)
_ETAG = re.compile(r'(?:W/)?"?([^"]*)"?\Z')


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """An address that gives the promised bytes for now. `on_hub`: it is the Hub's own, which alone may see a token."""

    url: str
    on_hub: bool
    etag: str


def resolve(gate: Gate, promise: Promise, token: str) -> Source:
    """Asks the Hub. Raises HubError (also FileChanged, ServerUnusable) or NetworkError."""
    from huggingface_hub import hf_hub_url

    url = hf_hub_url(promise.repo, promise.path, revision=promise.commit or None, endpoint=promise.endpoint)
    for _ in range(MAX_HOPS):
        response = gate.client().request(
            "HEAD", url, headers=headers(url, promise, token), follow_redirects=False, timeout=RESOLVE_TIMEOUT
        )
        if response.status_code >= 400 or response.status_code < 200:
            sent = bool(token) and gate.carries_token(url)
            raise from_answer(
                response.status_code,
                response.headers,
                repo=promise.repo,
                page=f"{promise.endpoint}/{promise.repo}",
                with_token=sent,
                kept_from=urlsplit(url).netloc if token and not sent else "",
            )
        location = response.headers.get("location", "") if response.status_code >= 300 else ""
        if not location:
            _compare(promise, response.headers, size_header="content-length")
            return Source(url=url, on_hub=origin(url) == origin(promise.endpoint), etag=_etag(response.headers))
        target = urljoin(url, location)
        if origin(target) != origin(url):
            _compare(promise, response.headers, size_header="")
            return Source(url=target, on_hub=False, etag=_etag(response.headers))
        url = target
    raise ServerUnusable(f"{urlsplit(url).hostname} sends us around in circles.", detail=f"more than {MAX_HOPS} hops")


def headers(url: str, promise: Promise, token: str) -> dict[str, str]:
    """What is sent with a request for this file."""
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined] # lazily exported there

    allowed = token if token and origin(url) == origin(promise.endpoint) else False
    sent: dict[str, str] = build_hf_headers(token=allowed)
    sent.pop("user-agent", None)  # it tells more than the gate's own
    return {**sent, "Accept-Encoding": "identity"}


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of an address; of one that is none, something that equals no other's."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    except ValueError:
        return ("", url, -1)
    return (parts.scheme.lower(), (parts.hostname or "").lower(), port)


def _compare(promise: Promise, headers: Mapping[str, str], size_header: str) -> None:
    """Raises FileChanged when the Hub has another file than the one that was chosen."""
    get = headers.get
    commit = get("x-repo-commit", "")
    if commit and _COMMIT.match(promise.commit) and commit != promise.commit:
        raise _changed(promise, f"commit {commit[:40]}")
    size = get("x-linked-size", "") or (get(size_header, "") if size_header else "")
    if size and (not size.isascii() or not size.isdigit()):
        raise broken_answer("the size is no number")
    if size and int(size[:20]) != promise.size_bytes:
        raise _changed(promise, f"{size[:20]} bytes")
    etag = _etag(headers)
    if promise.sha256 and _SHA256.match(etag) and etag != promise.sha256.lower():
        raise _changed(promise, f"sha256 {etag}")


def _changed(promise: Promise, detail: str) -> FileChanged:
    return FileChanged(
        f"{promise.path.rpartition('/')[2]} is another file on Hugging Face now. Open the model's page again and "
        "choose from what is there.",
        detail=f"now {detail}",
    )


def _etag(headers: Mapping[str, str]) -> str:
    get = headers.get
    found = _ETAG.match((get("x-linked-etag", "") or get("etag", ""))[:200])
    return found[1].lower() if found else ""


class Sources:
    """The address that holds now, asked for by whoever needs it first."""

    def __init__(self, gate: Gate, promise: Promise, token: Callable[[], str]) -> None:
        self._gate = gate
        self._promise = promise
        self._token = token
        self._lock = threading.Lock()
        self._source: Source | None = None

    def current(self) -> Source:
        """The address; the others wait while one asks."""
        with self._lock:
            if self._source is None:
                self._source = resolve(self._gate, self._promise, self._token())
            return self._source

    def outdated(self, source: Source) -> None:
        """This one does not give the bytes any more."""
        with self._lock:
            if self._source is source:
                self._source = None
