"""Reads a model file whole and says whether it is still what it was: sha256 against the one that is known."""

from __future__ import annotations

import enum
import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from app.engine.errors import FileMissing
from app.engine.gguf import open_model
from app.engine.values import ModelFile
from app.hub.elsewhere.folders import parts_of
from app.services.errors import Interrupted

BLOCK_BYTES = 1024 * 1024

Progress = Callable[[int, int], None]
"""Called with the bytes that are done and all bytes, about once a block."""


class Finding(enum.StrEnum):
    """What came of it. NEW: nothing was known to compare with; the next time there is."""

    SAME = "same"
    DIFFERENT = "different"
    NEW = "new"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The result for one model. `sha256` has one digest for each of its files, in order; `sentence` is for the
    person."""

    model_id: str
    name: str
    path: str
    finding: Finding
    sha256: tuple[str, ...]
    known: tuple[str, ...]
    sentence: str


def verify(model: ModelFile, progress: Progress, ended: threading.Event) -> Verdict:
    """Reads all files of a model. Raises a ModelFileError, or Interrupted once `ended` is set."""
    parts = parts_of(Path(model.path))
    if len(parts) != model.parts:
        raise FileMissing(f"{len(parts)} of {model.parts} parts")
    done = 0

    def tell(count: int) -> None:
        nonlocal done
        done += count
        progress(done, model.size_bytes)

    digests = tuple(sha256_of(part, tell, ended) for part in parts)
    finding = Finding.NEW if not model.sha256 else Finding.SAME if digests == model.sha256 else Finding.DIFFERENT
    return Verdict(
        model_id=model.id,
        name=model.name,
        path=model.path,
        finding=finding,
        sha256=digests,
        known=model.sha256,
        sentence=_sentence(model, finding, digests),
    )


def sha256_of(path: Path, tell: Callable[[int], None], ended: threading.Event) -> str:
    """The digest of one file. Raises a ModelFileError, or Interrupted."""
    digest = hashlib.sha256()
    with open_model(path) as (read_at, size):
        offset = 0
        while offset < size:
            if ended.is_set():
                raise Interrupted("The check was stopped.")
            block = read_at(offset, BLOCK_BYTES)
            if not block:
                break
            digest.update(block)
            offset += len(block)
            tell(len(block))
    return digest.hexdigest()


def _sentence(model: ModelFile, finding: Finding, digests: tuple[str, ...]) -> str:
    if finding is Finding.SAME:
        return f"{model.name} is unchanged: its sha256 is the one that is known."
    if finding is Finding.NEW:
        return f"{model.name} was read whole. Nothing was known to compare it with; from now on its sha256 is."
    wrong = [number for number, (one, known) in enumerate(zip(digests, model.sha256, strict=True), 1) if one != known]
    which = f" (part {wrong[0]} of {model.parts})" if model.parts > 1 else ""
    return f"{model.name} is not the file it was{which}: its sha256 is another one. Download it again."
