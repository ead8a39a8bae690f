"""Frozen data about models on the Hub and their downloads that every side may read. Only values: no I/O.

Sizes are bytes, times are milliseconds since 1970. Names and texts come from strangers: a front shows them as plain
text.
"""

from __future__ import annotations

import enum

import msgspec


class _Value(msgspec.Struct, frozen=True, kw_only=True):
    pass


class Sort(enum.StrEnum):
    """In which order a search gives its results."""

    TRENDING = "trending"
    DOWNLOADS = "downloads"
    LIKES = "likes"
    NEWEST = "newest"


class Capability(enum.StrEnum):
    """What a model can do beyond text in, text out; read from tags, the chat template and files beside it."""

    VISION = "vision"
    TOOLS = "tools"
    REASONING = "reasoning"


class SearchQuery(_Value, frozen=True, kw_only=True):
    """What a person asks for. Empty or zero means: does not matter. Parameter counts are plain numbers (8e9)."""

    text: str = ""
    sort: Sort = Sort.TRENDING
    family: str = ""
    min_params: int = 0
    max_params: int = 0
    license: str = ""
    capabilities: tuple[Capability, ...] = ()
    gated: bool | None = None


class ModelSummary(_Value, frozen=True, kw_only=True):
    """One repository in a list. `params` 0: unknown. `gated` is '', 'auto' or 'manual'; `base_model` a repository."""

    repo: str
    params: int = 0
    architecture: str = ""
    context_length: int = 0
    license: str = ""
    base_model: str = ""
    gated: str = ""
    private: bool = False
    downloads: int = 0
    likes: int = 0
    updated_ms: int = 0
    tags: tuple[str, ...] = ()
    capabilities: tuple[Capability, ...] = ()

    @property
    def author(self) -> str:
        """The account or organisation."""
        return self.repo.partition("/")[0]

    @property
    def name(self) -> str:
        """The repository's own name, without the account."""
        return self.repo.partition("/")[2] or self.repo


class SearchPage(_Value, frozen=True, kw_only=True):
    """Some results and where the next ones are (`cursor` is opaque; '' is the end)."""

    models: tuple[ModelSummary, ...]
    cursor: str = ""


class RemoteFile(_Value, frozen=True, kw_only=True):
    """One file of a repository at a commit. `sha256` is '' for small files that the Hub keeps in git."""

    path: str
    size_bytes: int
    sha256: str = ""


class Variant(_Value, frozen=True, kw_only=True):
    """One quantization: a file, or all shards of one in order.

    `label` is what people call it (Q4_K_M), `name` tells two of the same label apart (a subfolder, UD-).
    """

    label: str
    name: str
    files: tuple[RemoteFile, ...]
    bits_per_weight: float
    quality: str

    @property
    def size_bytes(self) -> int:
        """All files together."""
        return sum(file.size_bytes for file in self.files)


class LeftOut(_Value, frozen=True, kw_only=True):
    """A model file of a repository that cannot be offered, and the plain reason."""

    path: str
    reason: str


class ModelPage(_Value, frozen=True, kw_only=True):
    """Everything about one repository at one commit that choosing a file needs. Variants begin with the largest.

    `projectors` belong to vision models and come along with any variant; `others` are neither (imatrix, drafts);
    `left_out` are sets with missing parts and the like. `license_words` says in a sentence what the licence allows.
    """

    summary: ModelSummary
    commit: str
    variants: tuple[Variant, ...]
    projectors: tuple[RemoteFile, ...] = ()
    others: tuple[RemoteFile, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    license_name: str = ""
    license_words: str = ""
    license_link: str = ""


class FirstChoice(_Value, frozen=True, kw_only=True):
    """A good first model for computers with about `memory_bytes` of memory, known without asking anyone.

    `size_bytes` is about right; the model's page has the exact size.
    """

    repo: str
    label: str
    name: str
    maker: str
    memory_bytes: int
    size_bytes: int
    params: int
    license: str
    why: str
    capabilities: tuple[Capability, ...] = ()


class DownloadState(enum.StrEnum):
    """Where a download stands. A cancelled one is gone."""

    WAITING = "waiting"
    RUNNING = "running"
    CHECKING = "checking"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"


class Download(_Value, frozen=True, kw_only=True):
    """One set of files (a variant with its shards and projector) on its way to this computer.

    `position` orders the queue. `sentence` says why it failed or waits; `code` is the error's.
    """

    id: str
    endpoint: str
    repo: str
    commit: str
    label: str
    files: tuple[RemoteFile, ...]
    folder: str
    state: DownloadState = DownloadState.WAITING
    position: int = 0
    done_bytes: int = 0
    created_ms: int = 0
    finished_ms: int = 0
    code: str = ""
    sentence: str = ""

    @property
    def size_bytes(self) -> int:
        """All files together."""
        return sum(file.size_bytes for file in self.files)
