"""GGUF files below a folder: which are models, which are their projectors. Names only, no file is opened.

Bounded in depth, in files and in what is looked at, so that a whole disk given by mistake costs a moment. A folder that
cannot be read has none.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from pathlib import Path, PurePath

from app.hub.elsewhere.system import Found, is_file
from app.hub.names import Kind, kind, part_of, quantization
from app.hub.projectors import projector_for
from app.hub.values import RemoteFile, Variant
from app.hub.variants import nominal_bits

MAX_FILES = 2000
MAX_DEPTH = 5
MAX_ENTRIES = 50_000
SUFFIX = ".gguf"

_WORDS = re.compile(r"[^a-z0-9]+")
_NOT_NAMES = {"mmproj", "model", "gguf"}


def models_below(folder: Path, depth: int = MAX_DEPTH) -> tuple[Found, ...]:
    """The models of a folder and those up to `depth` folders below it, in the order of their paths."""
    return with_projectors(gguf_files(folder, depth), folder)


def gguf_files(folder: Path, depth: int = MAX_DEPTH) -> list[Path]:
    """All GGUF files of a folder and those below. Hidden ones are left alone; links are followed, each folder once."""
    found: list[Path] = []
    looked_at = 0
    seen: set[tuple[int, int]] = set()
    folders = [(folder, depth)]
    while folders and len(found) < MAX_FILES and looked_at < MAX_ENTRIES:
        here, left = folders.pop()
        below: list[tuple[Path, int]] = []
        try:
            status = here.stat()
            if status.st_ino and (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(here) as entries:
                for entry in entries:
                    looked_at += 1
                    if looked_at > MAX_ENTRIES:
                        break
                    if entry.name.startswith("."):
                        continue
                    if _is_folder(entry):
                        below.append((here / entry.name, left - 1))
                    elif entry.name.lower().endswith(SUFFIX):
                        found.append(here / entry.name)
        except (OSError, ValueError):
            continue
        if left > 0:
            folders += sorted(below, reverse=True)
    return sorted(found, key=lambda path: str(path).lower())[:MAX_FILES]


def with_projectors(files: list[Path], root: Path) -> tuple[Found, ...]:
    """The models among these files, each with the projector that belongs to it. A projector without a model is listed
    like one: its header says what it is."""
    projectors: dict[Path, list[Path]] = defaultdict(list)
    models: list[Path] = []
    for path in files:
        what = kind(path.name)
        if what is Kind.PROJECTOR:
            projectors[path.parent].append(path)
        elif what is not Kind.IMATRIX and not is_later_part(path):
            models.append(path)
    named = _named(models)
    found = [Found(path=str(model), projector=_projector(model, root, projectors, named)) for model in models]
    used = {model.projector for model in found}
    lone = [path for paths in projectors.values() for path in paths if str(path) not in used and not named[path.parent]]
    return tuple(sorted((*found, *(Found(path=str(path)) for path in lone)), key=lambda one: one.path.lower()))


def is_later_part(path: PurePath) -> bool:
    """Whether this is a file of a split model, but not its first one."""
    part = part_of(path.name)
    return part is not None and part.number > 1


def parts_of(path: Path) -> list[Path]:
    """All files of a model by its first one: itself, or every part that is there."""
    part = part_of(path.name)
    if part is None or part.number != 1 or not 1 < part.parts <= MAX_FILES:
        return [path]
    ending = path.name[len(part.stem) + len("-00001-of-00001") :]
    others = (path.with_name(f"{part.stem}-{n:05d}-of-{part.parts:05d}{ending}") for n in range(2, part.parts + 1))
    return [path, *(other for other in others if is_file(other))]


def _named(models: list[Path]) -> dict[Path, set[tuple[str, ...]]]:
    """What the models of each folder are called. Those one folder deeper count too."""
    named: dict[Path, set[tuple[str, ...]]] = defaultdict(set)
    for model in models:
        words = _words(model)
        named[model.parent].add(words)
        named[model.parent.parent].add(words)
    return named


def _projector(
    model: Path, root: Path, projectors: dict[Path, list[Path]], named: dict[Path, set[tuple[str, ...]]]
) -> str:
    """The projector in the model's folder, or in the one above: any where all models there are one model, otherwise
    one of the same name."""
    folders = [model.parent] if model.parent == root else [model.parent, model.parent.parent]
    for folder in folders:
        if folder == root and model.parent != root:
            continue  # what lies loose at the top does not belong to what lies in folders
        candidates = projectors.get(folder, [])
        if len(named[folder]) > 1:
            candidates = [path for path in candidates if _same_name(_words(path), _words(model))]
        label = quantization(model.name)
        variant = Variant(
            label=label,
            name=label,
            files=(RemoteFile(path=model.name, size_bytes=0),),
            bits_per_weight=nominal_bits(label),
            quality="",
        )
        chosen = projector_for(variant, [RemoteFile(path=path.name, size_bytes=0) for path in candidates])
        if chosen is not None:
            return str(folder / chosen.path)
    return ""


def _words(path: Path) -> tuple[str, ...]:
    """The words of a file's name without its quantization."""
    part = part_of(path.name)
    stem = part.stem if part is not None else path.name[: -len(SUFFIX)]
    label = set(_WORDS.split(quantization(stem).lower())) | {"fp16", "fp32"} if quantization(stem) else set()
    return tuple(word for word in _WORDS.split(stem.lower()) if word and word not in label | _NOT_NAMES)


def _same_name(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    shared = min(len(one), len(other))
    return shared > 0 and one[:shared] == other[:shared]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, or to where nobody may look
        return False
