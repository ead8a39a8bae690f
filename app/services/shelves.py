"""Where models are looked for: the person's folders and files, other programs' folders, our own resources.

Gathers names; no file is opened, nothing is kept. A folder may be missing: what lay in it is away then, if the person
pointed there. Whether it is there is looked up last: a drive that goes meanwhile has not lost its models.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from app.engine.values import ModelFile, Origin
from app.hub.elsewhere.folders import is_later_part, models_below
from app.hub.elsewhere.programs import PROGRAMS
from app.hub.elsewhere.system import Found, System, is_file, is_folder
from app.settings.schema import Settings

_MOUNTS = ("/mnt", "/media", "/run/media", "/Volumes")


class Spot(NamedTuple):
    """A model that was found, and whose it is."""

    found: Found
    origin: Origin

    @staticmethod
    def of_file(path: Path, origin: Origin) -> Spot:
        """A file by its path, with the projector beside it."""
        beside = {found.path: found for found in models_below(path.parent, depth=0)}
        return Spot(beside.get(str(path), Found(path=str(path))), origin)


class Shelf(NamedTuple):
    """A folder that was looked through, or a single file. `away`: it is not there, and may come back."""

    path: str
    origin: Origin
    away: bool


class Place(NamedTuple):
    """A place as a person looks at it: how many models lie there, and their size. `away`: it is not there now."""

    path: str
    origin: Origin
    away: bool
    models: int
    size_bytes: int


class Shelves(NamedTuple):
    """Everything that was found, the person's own first, each path once."""

    spots: tuple[Spot, ...]
    shelves: tuple[Shelf, ...]

    def shelf_of(self, path: str) -> Shelf | None:
        """The innermost shelf a path lies on."""
        around = [shelf for shelf in self.shelves if path == shelf.path or is_below(path, shelf.path)]
        return max(around, key=lambda shelf: len(shelf.path), default=None)

    def places(self, models: Iterable[ModelFile]) -> list[Place]:
        """Every shelf with what lies on it. A model lies on the innermost one."""
        found: dict[str, list[int]] = {shelf.path: [] for shelf in self.shelves}
        for model in models:
            shelf = self.shelf_of(model.path)
            if shelf is not None:
                found[shelf.path].append(model.size_bytes)
        return [
            Place(one.path, one.origin, one.away, len(sizes), sum(sizes))
            for one in self.shelves
            for sizes in (found[one.path],)
        ]


def look_around(settings: Settings, folder: Path, default: Path, resources: Path, system: System) -> Shelves:
    """Looks everywhere. `folder` is the person's own, `default` the one it is when nothing was chosen."""
    roots = {origin: find(system) for origin, find in PROGRAMS.items()}
    spots: list[Spot] = [Spot(found, Origin.OWN) for found in models_below(folder)]
    shelves = [Shelf(str(folder), Origin.OWN, folder != default and is_absent(folder))]
    for further in (whole(text) for text in settings.models.folders):
        spots += [Spot(found, Origin.FOLDER) for found in models_below(further)]
        shelves.append(Shelf(str(further), Origin.FOLDER, is_absent(further)))
    for file in (whole(text) for text in settings.models.files):
        if is_file(file) and not is_later_part(file):
            spots.append(Spot.of_file(file, Origin.FILE))
        shelves.append(Shelf(str(file), Origin.FILE, not is_folder(file.parent)))
    theirs = [
        (Path(root.folder), root, origin)
        for origin, found_roots in roots.items()
        for root in found_roots
        if _switched_on(settings, origin)
    ]
    for path, root, origin in theirs:
        shelves.append(Shelf(root.folder, origin, root.chosen and is_absent(path)))
        spots += [Spot(found, origin) for found in root.models]
    spots += [Spot(found, Origin.STARTER) for found in _starters(resources)]
    owners = [(root.folder, origin) for origin, found_roots in roots.items() for root in found_roots]
    return Shelves(tuple(_each_once(_rightful(spot, owners) for spot in spots)), tuple(shelves))


def whole(text: str) -> Path:
    """The path, with ~ written out where there is such a home folder."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def is_below(path: str, folder: str) -> bool:
    """Whether a path lies in a folder, by their names."""
    return Path(folder) in Path(path).parents


def is_absent(folder: Path) -> bool:
    """Whether a folder is not there, or is the empty place of a drive that is not connected."""
    if not is_folder(folder):
        return True
    if not any(is_below(str(folder), mounts) for mounts in _MOUNTS):
        return False
    try:
        with os.scandir(folder) as entries:
            return not folder.is_mount() and next(entries, None) is None
    except OSError:
        return False


def _switched_on(settings: Settings, origin: Origin) -> bool:
    return bool(getattr(settings.models, origin.value))


def _rightful(spot: Spot, owners: list[tuple[str, Origin]]) -> Spot:
    """A further folder or a single file inside another program's folder is that program's all the same."""
    if spot.origin not in (Origin.FOLDER, Origin.FILE):
        return spot
    owner = next((origin for folder, origin in owners if is_below(spot.found.path, folder)), spot.origin)
    return Spot(spot.found, owner)


def _each_once(spots: Iterator[Spot]) -> Iterator[Spot]:
    seen: set[str] = set()
    for spot in spots:
        key = os.path.normcase(spot.found.path)
        if key not in seen:
            seen.add(key)
            yield spot


def _starters(resources: Path) -> tuple[Found, ...]:
    return models_below(resources / "models", depth=0)
