"""Taking a model away: which files go to the system's trash, what that frees, and what must stay.

Nothing is ever deleted for good here, and nothing of another program or of our own resources is touched.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from app.engine.values import ModelFile, ModelPlace, Origin
from app.hub.elsewhere.folders import parts_of
from app.hub.elsewhere.programs import NAMES
from app.services.errors import NotRemovable, NotRemoved

log = logging.getLogger(__name__)

OURS_TO_REMOVE = (Origin.OWN, Origin.FOLDER, Origin.FILE)


class Removal(msgspec.Struct, frozen=True, kw_only=True):
    """What removing a model means. `frees_bytes` counts what no other link holds; the space comes back when the trash
    is emptied. `stays`: places where the same content remains. `only_forgets`: its files are away, so it is taken out
    of the list alone."""

    model_id: str
    name: str
    files: tuple[str, ...]
    frees_bytes: int
    stays: tuple[ModelPlace, ...] = ()
    only_forgets: bool = False


def removal_of(model: ModelFile, others: Iterable[ModelFile]) -> Removal:
    """The plan for a model. A projector goes along when it lies beside the model and none of the `others` uses it.
    Raises NotRemovable."""
    places = [ModelPlace(id=model.id, path=model.path, origin=model.origin, away=model.away), *model.also_at]
    present = [place for place in places if not place.away]
    ours = [place for place in present if place.origin in OURS_TO_REMOVE]
    stays = tuple(place for place in places if place not in ours)
    if not present:
        return Removal(model_id=model.id, name=model.name, files=(), frees_bytes=0, only_forgets=True)
    if not ours:
        raise NotRemovable(_whose(model.name, present[0].origin))
    files = [part for place in ours for part in parts_of(Path(place.path))]
    used = {other.projector for other in others if other.id != model.id}
    projector = Path(model.projector) if model.projector and model.projector not in used else None
    if projector is not None and any(_goes_along(projector, place) for place in ours):
        files.append(projector)
    return Removal(
        model_id=model.id,
        name=model.name,
        files=tuple(str(file) for file in files),
        frees_bytes=sum(_frees(file) for file in files),
        stays=stays,
    )


def remove(removal: Removal, folder: Path, to_trash: Callable[[Path], None]) -> None:
    """Carries the plan out; folders below `folder` that are empty then go too. Raises NotRemoved; what was moved to the
    trash before stays there."""
    for file in map(Path, removal.files):
        if not os.path.lexists(file):
            continue
        try:
            to_trash(file)
        except OSError as error:
            raise _refused(file, error) from error
        above = file.parent
        while folder in above.parents:
            with contextlib.suppress(OSError):
                above.rmdir()  # only when it is empty
            above = above.parent


def to_system_trash(file: Path) -> None:
    """Moves one file, or the link, to the trash as this system has it. Raises OSError."""
    from send2trash import send2trash

    send2trash(str(file))


def _goes_along(projector: Path, place: ModelPlace) -> bool:
    model = Path(place.path)
    return projector.parent in (model.parent, model.parent.parent)


def _frees(file: Path) -> int:
    try:
        status = file.lstat()
    except OSError:
        return 0
    return status.st_size if status.st_nlink <= 1 and not file.is_symlink() else 0


def _whose(name: str, origin: Origin) -> str:
    if origin is Origin.STARTER:
        return f"{name} comes with Inglenook and stays."
    if origin is Origin.HUGGING_FACE:
        return f"{name} lies in the Hugging Face cache, which other programs use too. Remove it with one of them."
    return f"{name} belongs to {NAMES.get(origin, 'another program')}. Remove it there."


def _refused(file: Path, error: OSError) -> NotRemoved:
    log.info("not moved to the trash: %s %s", type(error).__name__, error)
    if isinstance(error, PermissionError):
        sentence = f"Inglenook may not move {file.name} to the trash: the file or its folder is protected."
    else:
        sentence = f"{file.name} could not be moved to the trash. It may be in use, or its drive has no trash."
    return NotRemoved(sentence, detail=str(error))
