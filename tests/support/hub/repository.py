"""A repository as a Hub on loopback serves it: files with their sizes, hashes and git ids, and what the API says of it.

Hashes are computed when they are first asked for, from the bytes, unless they are given (a sparse file of many
gigabytes has a made-up sha256 then). Nothing here serves anything.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

LFS_SUFFIXES = (".gguf", ".bin", ".safetensors", ".dat")
LFS_FROM_BYTES = 1_000_000
_BLOCK = 1 << 20


class HubFile:
    """One file at one commit. `content` is its bytes, or where they lie on this machine."""

    def __init__(self, path: str, content: bytes | Path, *, sha256: str = "", lfs: bool | None = None) -> None:
        self.path = path
        self.content = content
        self._sha256 = sha256
        self._lfs = lfs

    @cached_property
    def size(self) -> int:
        return len(self.content) if isinstance(self.content, bytes) else self.content.stat().st_size

    @cached_property
    def lfs(self) -> bool:
        """Whether the Hub keeps it outside git, so that it has a sha256 and lies on the CDN."""
        by_kind = self.path.lower().endswith(LFS_SUFFIXES) or self.size >= LFS_FROM_BYTES
        return by_kind if self._lfs is None else self._lfs

    @cached_property
    def sha256(self) -> str:
        if self._sha256:
            return self._sha256
        digest = hashlib.sha256()
        for block in self.blocks():
            digest.update(block)
        return digest.hexdigest()

    @property
    def pointer(self) -> bytes:
        """What git holds in its place."""
        return f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {self.size}\n".encode()

    @property
    def pointer_size(self) -> int:
        return len(self.pointer)

    @cached_property
    def oid(self) -> str:
        """Git's id of the blob: of the pointer for files outside git."""
        if self.lfs:
            return hashlib.sha1(b"blob %d\0" % self.pointer_size + self.pointer).hexdigest()
        digest = hashlib.sha1(b"blob %d\0" % self.size)
        for block in self.blocks():
            digest.update(block)
        return digest.hexdigest()

    @property
    def xet_hash(self) -> str:
        """64 hexadecimal digits that are not the sha256; '' for small files."""
        return hashlib.sha256(b"xet" + self.sha256.encode()).hexdigest() if self.lfs else ""

    @property
    def etag(self) -> str:
        """What the Hub calls the file: sha256 outside git, the git id otherwise. Without quotes."""
        return self.sha256 if self.lfs else self.oid

    def read(self, start: int = 0, end: int | None = None) -> bytes:
        """Bytes `start` to before `end`."""
        if isinstance(self.content, bytes):
            return self.content[start:end]
        with self.content.open("rb") as file:
            file.seek(start)
            return file.read(-1 if end is None else max(0, end - start))

    def blocks(self) -> Iterator[bytes]:
        for start in range(0, self.size, _BLOCK):
            yield self.read(start, min(start + _BLOCK, self.size))


@dataclasses.dataclass
class Repository:
    """`id` is owner/name. `files` maps a path to its bytes, a path on this machine, or a HubFile. `gguf` is what the
    API says under that key. `refs` maps further branches and tags to commits; `main` is `commit`."""

    id: str
    files: dict[str, Any] = dataclasses.field(default_factory=dict)
    commit: str = ""
    gated: str = ""
    private: bool = False
    disabled: bool = False
    tags: tuple[str, ...] = ()
    card: str = ""
    gguf: dict[str, Any] = dataclasses.field(default_factory=dict)
    downloads: int = 0
    likes: int = 0
    trending: float = 0.0
    created_at: str = "2026-01-02T03:04:05.000Z"
    last_modified: str = "2026-01-02T03:04:05.000Z"
    pipeline_tag: str = "text-generation"
    library_name: str = "gguf"
    base_model: str = ""
    refs: dict[str, str] = dataclasses.field(default_factory=dict)
    card_data: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.card and "README.md" not in self.files:
            self.files["README.md"] = self.card.encode()
        for path, content in self.files.items():
            if not isinstance(content, HubFile):
                self.files[path] = HubFile(path, content)
        if not self.commit:
            seed = self.id + "".join(f"{path}:{file.size}" for path, file in sorted(self.files.items()))
            self.commit = hashlib.sha1(seed.encode()).hexdigest()

    @property
    def owner(self) -> str:
        return self.id.partition("/")[0]

    @property
    def name(self) -> str:
        return self.id.partition("/")[2]

    def file(self, path: str) -> HubFile | None:
        found: HubFile | None = self.files.get(path)
        return found

    def replace(self, path: str, content: bytes | Path | HubFile) -> None:
        """Another upload of this file: it has a new commit from now on."""
        self.files[path] = content if isinstance(content, HubFile) else HubFile(path, content)
        self.commit = hashlib.sha1(f"{self.commit}{path}{self.files[path].etag}".encode()).hexdigest()

    def resolves(self, revision: str) -> str | None:
        """The commit that a branch, a tag or a commit means; None when there is no such revision."""
        if revision in ("main", "HEAD", self.commit):
            return self.commit
        return self.refs.get(revision) or (revision if revision in self.refs.values() else None)
