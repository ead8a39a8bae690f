"""The cache that huggingface_hub, llama.cpp and others share: models--<owner>--<name>/snapshots/<commit>/<file>.

Files of a snapshot are links to blobs that are called by their sha256 where they are large (by a git hash otherwise);
on Windows without the right to make links they are copies. `refs/main` names the commit of the main branch. Places:
HF_HUB_CACHE, the older HUGGINGFACE_HUB_CACHE, HF_HOME, XDG_CACHE_HOME, the home folder
(huggingface_hub, constants.py).
"""

from __future__ import annotations

import itertools
import os
import re
from pathlib import Path

import msgspec

from app.hub.elsewhere.folders import gguf_files, parts_of, with_projectors
from app.hub.elsewhere.system import Found, Root, System, is_folder, read_small
from app.hub.names import is_repo

MAX_REPOSITORIES = 5000
MAX_SNAPSHOTS = 50

_PREFIX = "models--"
_COMMIT = re.compile(r"[0-9a-f]{40}\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


def hugging_face(system: System) -> list[Root]:
    """The cache, if it is there or a variable points to it."""
    folder, chosen = _cache(system)
    if not chosen and not is_folder(folder):
        return []
    models = [found for repository in _names(folder, MAX_REPOSITORIES) for found in _models(folder / repository)]
    return [Root(folder=str(folder), chosen=chosen, models=tuple(models))]


def _cache(system: System) -> tuple[Path, bool]:
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if (named := system.folder(variable)) is not None:
            return named, True
    if (home := system.folder("HF_HOME")) is not None:
        return home / "hub", True
    return (system.folder("XDG_CACHE_HOME") or system.home / ".cache") / "huggingface" / "hub", False


def _models(repository: Path) -> list[Found]:
    """The models of the newest snapshot, and those of older ones that it does not have under the same name."""
    if not repository.name.startswith(_PREFIX):
        return []
    repo = "/".join(repository.name.removeprefix(_PREFIX).split("--", 1))
    main = (read_small(repository / "refs" / "main", 100) or b"").decode("ascii", "replace").strip()
    snapshots = [name for name in _names(repository / "snapshots", MAX_SNAPSHOTS) if _COMMIT.match(name)]
    snapshots.sort(key=lambda commit: commit != main)
    found: dict[str, Found] = {}
    for commit in snapshots:
        folder = repository / "snapshots" / commit
        for one in with_projectors(gguf_files(folder), folder.parent):
            name = Path(one.path).relative_to(folder).as_posix()
            digests = tuple(_digest(part, repository / "blobs") for part in parts_of(Path(one.path)))
            known = msgspec.structs.replace(one, sha256=digests if all(digests) else ())
            if is_repo(repo):  # an old one without an owner has no page that is written owner/name
                known = msgspec.structs.replace(known, repo=repo, commit=commit, remote_path=name)
            other = found.get(name)
            if other is None or not known.sha256 or known.sha256 != other.sha256:
                found[name if other is None else f"{commit}/{name}"] = known
    return list(found.values())


def _digest(path: Path, blobs: Path) -> str:
    """The sha256 by the name of the blob that a link leads to, or ''."""
    try:
        target = Path(os.path.realpath(path))
        inside = target.parent == Path(os.path.realpath(blobs))
    except (OSError, ValueError):
        return ""
    return target.name if inside and _SHA256.match(target.name) else ""


def _names(folder: Path, most: int) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in itertools.islice(entries, most)]
    except (OSError, ValueError):
        return []
    return sorted(names)
