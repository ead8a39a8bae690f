"""One request for some bytes of a file: asked for, compared with the answer's own words, written as they come.

An answer that is not exactly what was asked for is refused before a byte of it is written. What to do then is decided
by `fetching`.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import urljoin

from app.hub.errors import wait_s
from app.hub.pace import Manner, Throttle
from app.hub.parts import Part
from app.hub.pieces import Piece
from app.hub.resolving import MAX_HOPS, Source, headers
from app.hub.spans import Span
from app.privacy.gate import Gate

PASSING = frozenset({408, 425, 429, 500, 502, 503, 504, 507, 509, 520, 521, 522, 523, 524, 529})
OUTDATED = frozenset({401, 403, 404, 410, 416})
WRITE_BYTES = 1 << 20
WRITE_S = 0.25
MAX_BLOCKS = 512

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)\Z", re.ASCII)


class Unusable(Exception):  # noqa: N818 - an answer, not an error of ours
    """An answer that must not be used. `detail` is technical."""

    def __init__(self, detail: str, status: int = 0) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status = status


class Outdated(Unusable):
    """The address does not give these bytes (any more): the Hub has to be asked again."""


class Busy(Unusable):
    """The server asks to come later, in `asked_s` seconds if it says so."""

    def __init__(self, detail: str, status: int, asked_s: float) -> None:
        super().__init__(detail, status)
        self.asked_s = asked_s


class NoRanges(Unusable):
    """The server sends the whole file whatever is asked for."""


class Changed(Unusable):
    """Another file is there than a moment ago."""


class Cut(Unusable):
    """The body ended before its time."""


class Reader:
    """Requests of one generation of a partial file. `whole`: without a range, from the beginning to the end."""

    def __init__(
        self,
        gate: Gate,
        part: Part,
        manner: Manner,
        throttle: Throttle,
        *,
        whole: bool,
        token: Callable[[], str],
        over: threading.Event,
    ) -> None:
        self._gate = gate
        self._part = part
        self._generation = part.generation
        self._throttle = throttle
        self._whole = whole
        self._token = token
        self._over = over
        self._timeout = (manner.connect_s, manner.stall_s, manner.stall_s, manner.connect_s)
        self._etags: dict[str, str] = {}
        self.received = 0
        self._lock = threading.Lock()

    def read(self, source: Source, piece: Piece) -> None:
        """Fetches what is left of `piece`. Raises Unusable, NetworkError, DownloadError."""
        url, asked = source.url, (piece.position, piece.end)  # its end may come nearer meanwhile
        for _ in range(MAX_HOPS):
            with self._ask(source, url, asked) as response:
                status: int = response.status_code
                if status in _REDIRECTS:
                    url = urljoin(url, response.headers.get("location", ""))
                    continue
                self._check(source, response, asked)
                self._body(response, piece, asked[1])
                return
        raise Outdated(f"redirected more than {MAX_HOPS} times", 302)

    def _ask(self, source: Source, url: str, span: Span) -> AbstractContextManager[Any]:
        asked = headers(url, self._part.promise, self._token())
        if not self._whole:
            asked["Range"] = f"bytes={span[0]}-{span[1] - 1}"
            if etag := self._etags.get(source.url):
                asked["If-Range"] = etag
        return self._gate.client().stream("GET", url, headers=asked, follow_redirects=False, timeout=self._timeout)

    def _check(self, source: Source, response: Any, span: Span) -> None:
        status: int = response.status_code
        given: Mapping[str, str] = response.headers
        if status in PASSING:
            raise Busy(f"HTTP {status}", status, wait_s(given))
        if status in OUTDATED:
            raise Outdated(f"HTTP {status}", status)
        if status not in (200, 206):
            raise Unusable(f"HTTP {status}", status)
        size = self._part.promise.size_bytes
        length = given.get("content-length", "")
        if status == 206:
            found = _CONTENT_RANGE.match(given.get("content-range", "").strip())
            if self._whole or found is None:
                raise Unusable(f"an answer to another question: {given.get('content-range', '')[:80]}", status)
            if found[3] not in ("*", str(size)):
                raise Changed(f"the file has {found[3]} bytes now", status)
            if (int(found[1]), int(found[2])) != (span[0], span[1] - 1):
                raise Unusable(f"other bytes than asked for: {found[0]}", status)
            expected = span[1] - span[0]
        else:
            expected = size
        if length and length != str(expected):
            # Perhaps a page of somebody in between. What is here must not begin anew for it: the Hub is asked first.
            raise Outdated(f"{length[:20]} bytes instead of {expected}")
        self._compare_etag(source, given.get("etag", ""))
        if status == 200 and not self._whole and span != (0, size):
            raise NoRanges("the range was ignored", status)

    def _compare_etag(self, source: Source, etag: str) -> None:
        """All answers of one address carry the same strong ETag, or the file changed in between."""
        if not etag or etag.startswith("W/") or len(etag) > 200:
            return
        with self._lock:
            known = self._etags.setdefault(source.url, etag)
        if known != etag:
            raise Changed(f"ETag {etag} after {known}")

    def _body(self, response: Any, piece: Piece, end: int) -> None:
        """Writes what comes, a mebibyte at a time or what a quarter of a second brought."""
        blocks: list[bytes] = []
        held, since = 0, time.monotonic()
        try:
            for block in response.iter_raw():
                if self._over.is_set() or piece.left <= 0:
                    return
                self._throttle.wait(len(block), self._over)
                blocks.append(block)
                held += len(block)
                self.received += len(block)  # by several threads, and only to judge the speed by
                now = time.monotonic()
                if held >= WRITE_BYTES or now - since >= WRITE_S or held >= piece.left or len(blocks) >= MAX_BLOCKS:
                    self._write(piece, blocks, held)
                    blocks, held, since = [], 0, now
                    if piece.left <= 0 and piece.end < end:
                        return  # the rest is another connection's share
                    # otherwise the end of the answer is read as well, so that the connection can be used again
        finally:
            if blocks and not self._over.is_set():
                self._write(piece, blocks, held)
        if piece.left > 0:
            raise Cut(f"{piece.left} bytes are missing")

    def _write(self, piece: Piece, blocks: list[bytes], held: int) -> None:
        start, count = piece.claim(held)
        while blocks and held - len(blocks[-1]) >= count:
            held -= len(blocks.pop())  # another connection's share begins before this block
        if held > count:
            blocks[-1] = blocks[-1][: count - held]
        if blocks:
            self._part.write(start, blocks, self._generation)
