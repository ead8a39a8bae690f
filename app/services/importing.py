"""Taking a file or a folder of models into the library: in place, or as a copy in the person's own folder.

A copy is written under another name and renamed when it is whole, so that nothing half is ever listed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

from app.base.sizes import size_words
from app.hub.elsewhere.folders import gguf_files, models_below, parts_of
from app.services.errors import Interrupted, NoSuchThing, NotCopied
from app.services.verifying import BLOCK_BYTES, Progress

SPARE_BYTES = 64 * 1024 * 1024
UNFINISHED = ".part"


def files_of(path: Path) -> list[tuple[Path, Path]]:
    """The files that belong to an import, each with its place below the folder it is copied to: a model with its parts
    and its projector, or all GGUF files of a folder. Raises NoSuchThing."""
    if path.is_dir():
        files = gguf_files(path)
        if not files:
            raise NoSuchThing(f"There is no GGUF file in {path}.")
        return [(file, Path(path.name) / file.relative_to(path)) for file in files]
    beside = {Path(found.path): found.projector for found in models_below(path.parent, depth=0)}
    projector = beside.get(path, "")
    files = [*parts_of(path), *([Path(projector)] if projector else [])]
    return [(file, Path(file.name)) for file in files]


def copy_all(files: list[tuple[Path, Path]], folder: Path, progress: Progress, ended: threading.Event) -> list[Path]:
    """Copies to `folder`, beside what is there and never over it; returns where the copies are. Raises NotCopied or
    Interrupted; then no file is left of them."""
    from app.hub.disk import free_bytes  # brings ctypes

    try:
        total = sum(source.stat().st_size for source, _ in files)
        free = free_bytes(folder)
        if total + SPARE_BYTES > free:
            raise NotCopied(f"The copy needs {size_words(total)} and {size_words(free)} are free in {folder}.")
        place = _free_place(files, folder)
        done = 0

        def tell(count: int) -> None:
            nonlocal done
            done += count
            progress(done, total)

        copied: list[Path] = []
        try:
            for source, below in files:
                copied.append(_copy(source, place / below, tell, ended))
        except BaseException:
            for target in copied:
                with contextlib.suppress(OSError):
                    target.unlink()
            raise
    except OSError as error:
        raise _not_copied(folder, error) from error
    return copied


def _free_place(files: list[tuple[Path, Path]], folder: Path) -> Path:
    """`folder`, or the first of its folders `2`, `3`... in which none of the files would meet another."""
    number = 1
    place = folder
    while any(os.path.lexists(place / below) for _, below in files):
        number += 1
        place = folder / str(number)
    return place


def _copy(source: Path, target: Path, tell: Callable[[int], None], ended: threading.Event) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(target.name + UNFINISHED)
    try:
        with source.open("rb") as reading, unfinished.open("xb") as writing:
            while block := reading.read(BLOCK_BYTES):
                if ended.is_set():
                    raise Interrupted("The copy was stopped.")
                writing.write(block)
                tell(len(block))
            writing.flush()
            os.fsync(writing.fileno())
        status = source.stat()
        os.utime(unfinished, ns=(status.st_atime_ns, status.st_mtime_ns))
        unfinished.rename(target)
    except BaseException:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise
    return target


def _not_copied(folder: Path, error: OSError) -> NotCopied:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        sentence = f"The disk with {folder} is full."
    elif isinstance(error, PermissionError):
        sentence = f"Inglenook may not read the model, or may not write in {folder}."
    else:
        sentence = f"The model could not be copied to {folder} ({error.strerror or type(error).__name__})."
    return NotCopied(sentence, detail=str(error))
