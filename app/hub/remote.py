"""The header of a model file that is still on the Hub, by a few requests for its first bytes.

`RemoteFileReader` is a source of bytes for the GGUF reader; `fetch_bare` writes what is needed to ask llama.cpp for a
plan, under names of our own. Requests belong to the action that the calling thread is inside of, whose purpose must be
one for files. What comes is bounded whatever the header claims.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import msgspec

from app.engine.bare import write_bare
from app.engine.errors import GgufBroken, NotAChatModel
from app.engine.gguf import not_a_chat_model
from app.engine.gguf_header import Header, read_header
from app.engine.shape import ModelShape, shape_of
from app.hub.errors import from_answer
from app.hub.failures import FileChanged, ServerUnusable
from app.hub.parts import Promise
from app.hub.ranges import OUTDATED
from app.hub.resolving import MAX_HOPS, Source, Sources, headers
from app.privacy.gate import Gate

MIB = 1024 * 1024
FIRST_BYTES = 2 * MIB
FURTHER_FIRST_BYTES = 128 * 1024  # the later files of a split model have no vocabulary
MOST_AT_ONCE_BYTES = 4 * MIB
MAX_BYTES = 64_000_000
MAX_FILES = 256
TIMEOUT = (10.0, 20.0, 20.0, 20.0)
"""Connect, read, write, wait for a free connection: seconds."""

_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)\Z", re.ASCII)
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class RemoteModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model on the Hub as far as its headers tell. `path` is a file (or the first of several) that llama.cpp can
    plan with; `fetched_bytes` came over the network."""

    path: Path
    headers: tuple[Header, ...]
    shape: ModelShape
    fetched_bytes: int


class RemoteFileReader:
    """The first bytes of a file, fetched as they are asked for: steps that double up to MOST_AT_ONCE_BYTES."""

    def __init__(
        self, gate: Gate, promise: Promise, token: Callable[[], str], *, first_bytes: int = FIRST_BYTES
    ) -> None:
        self.promise = promise
        self._gate = gate
        self._token = token
        self._sources = Sources(gate, promise, token)
        self._step = first_bytes
        self._buffer = bytearray()
        self.fetched_bytes = 0

    def read_at(self, offset: int, length: int) -> bytes:
        """Bytes as a local file would give them. Raises HubError, NetworkError; GgufBroken beyond MAX_BYTES."""
        end = min(offset + length, self.promise.size_bytes)
        while len(self._buffer) < end:
            if end > MAX_BYTES:
                raise GgufBroken(f"a header of more than {MAX_BYTES} bytes")
            self._more()
        return bytes(self._buffer[offset:end])

    def _more(self) -> None:
        begin = len(self._buffer)
        end = min(begin + self._step, self.promise.size_bytes, MAX_BYTES)
        self._step = min(2 * self._step, MOST_AT_ONCE_BYTES)
        source = self._sources.current()
        if not self._fetch(source, begin, end):
            self._sources.outdated(source)
            if not self._fetch(self._sources.current(), begin, end):
                raise ServerUnusable("The server does not give the beginning of this file.", detail="outdated twice")

    def _fetch(self, source: Source, begin: int, end: int) -> bool:
        """False when the address does not hold any more."""
        url = source.url
        for _ in range(MAX_HOPS):
            asked = headers(url, self.promise, self._token())
            asked["Range"] = f"bytes={begin}-{end - 1}"
            with self._gate.client().stream(
                "GET", url, headers=asked, follow_redirects=False, timeout=TIMEOUT
            ) as response:
                status: int = response.status_code
                if status in _REDIRECTS:
                    url = urljoin(url, response.headers.get("location", ""))
                    continue
                if status in OUTDATED and not source.on_hub:
                    return False
                if status not in (200, 206):
                    raise from_answer(status, response.headers, repo=self.promise.repo)
                self._take(response, begin if self._starts(response, begin, end) else 0, end)
                return True
        raise ServerUnusable("The server sends us around in circles.", detail=f"more than {MAX_HOPS} hops")

    def _starts(self, response: Any, begin: int, end: int) -> bool:
        """Whether the answer begins where it was asked to; otherwise it is the whole file. Raises FileChanged."""
        if response.status_code == 200:
            return False
        found = _CONTENT_RANGE.match(response.headers.get("content-range", "").strip())
        if found is None or (int(found[1]), int(found[2])) != (begin, end - 1):
            raise ServerUnusable("The server gives other bytes than those asked for.", detail="Content-Range")
        if found[3] not in ("*", str(self.promise.size_bytes)):
            raise FileChanged(f"{self.promise.path} is another file on Hugging Face now.", detail=f"{found[3]} bytes")
        return True

    def _take(self, response: Any, begin: int, end: int) -> None:
        del self._buffer[begin:]
        for block in response.iter_raw():
            self.fetched_bytes += len(block)
            self._buffer += block
            if len(self._buffer) >= end:  # of a whole file that was not asked for, the rest is left
                del self._buffer[end:]
                return
        raise ServerUnusable(
            "The connection ended before the header was complete.", detail=f"{len(self._buffer)} bytes"
        )


def fetch_bare(gate: Gate, promises: Sequence[Promise], token: Callable[[], str], folder: Path) -> RemoteModel:
    """Reads the headers of a model's files, given in order, and writes bare ones into `folder`.

    Raises HubError, NetworkError, or a ModelFileError for what cannot become a chat model; OSError for the folder.
    """
    if not 0 < len(promises) <= MAX_FILES:
        raise GgufBroken(f"{len(promises)} files")
    found: list[Header] = []
    fetched = 0
    paths = [folder / _name(number, len(promises)) for number in range(1, len(promises) + 1)]
    for promise, path in zip(promises, paths, strict=True):
        reader = RemoteFileReader(gate, promise, token, first_bytes=FURTHER_FIRST_BYTES if found else FIRST_BYTES)
        header = read_header(reader.read_at, promise.size_bytes)
        if not found and (kind := not_a_chat_model(header)):
            raise NotAChatModel(kind)
        write_bare(path, reader.read_at, header)
        found.append(header)
        fetched += reader.fetched_bytes
    return RemoteModel(path=paths[0], headers=tuple(found), shape=shape_of(*found), fetched_bytes=fetched)


def _name(number: int, count: int) -> str:
    """A name of our own: what a file is called on the Hub never becomes a path here."""
    return "model.gguf" if count == 1 else f"model-{number:05d}-of-{count:05d}.gguf"
