"""Where LM Studio keeps models: <folder>/<publisher>/<repository>/<file>.

Its own folder is named by a file in the home folder (`.lmstudio-home-pointer`), and is `~/.lmstudio` or, in older
versions, `~/.cache/lm-studio`. The folder of models is `models` in it, unless `downloadsFolder` in its settings.json
says otherwise. It is the same on every system; only the settings of older versions lie where each system keeps those of
applications.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from app.hub.elsewhere.folders import models_below
from app.hub.elsewhere.system import Found, Root, System, is_folder, read_json, read_small
from app.hub.names import is_repo

_POINTER_BYTES = 8192


class _Settings(msgspec.Struct):
    downloads_folder: str = msgspec.field(default="", name="downloadsFolder")


def lm_studio(system: System) -> list[Root]:
    """Its folders of models that are there, and those its settings point to."""
    homes = _homes(system)
    chosen: list[Path] = []
    for folder in (*homes, _application_folder(system)):
        settings = read_json(folder / "settings.json", _Settings)
        named = system.whole(settings.downloads_folder) if settings is not None else None
        if named is not None and named not in chosen:
            chosen.append(named)
    usual = [home / "models" for home in homes if home / "models" not in chosen]
    roots = [(folder, True) for folder in chosen] + [(folder, False) for folder in usual if is_folder(folder)]
    return [Root(folder=str(folder), chosen=named, models=_models(folder)) for folder, named in roots]


def _homes(system: System) -> list[Path]:
    pointer = (read_small(system.home / ".lmstudio-home-pointer", _POINTER_BYTES) or b"").decode("utf-8", "replace")
    named = system.whole(pointer.strip().partition("\n")[0])
    usual = (system.home / ".lmstudio", system.home / ".cache" / "lm-studio")
    return list(dict.fromkeys((*((named,) if named is not None else ()), *usual)))


def _application_folder(system: System) -> Path:
    if system.platform == "win32":
        return (system.folder("APPDATA") or system.home / "AppData" / "Roaming") / "LM Studio"
    if system.platform == "darwin":
        return system.home / "Library" / "Application Support" / "LM Studio"
    return (system.folder("XDG_CONFIG_HOME") or system.home / ".config") / "LM Studio"


def _models(folder: Path) -> tuple[Found, ...]:
    return tuple(_with_repo(found, folder) for found in models_below(folder))


def _with_repo(found: Found, folder: Path) -> Found:
    """Its folders are called as on the Hub, so they say where a model came from, but not at which commit."""
    parts = Path(found.path).relative_to(folder).parts
    if len(parts) < 3 or not is_repo(f"{parts[0]}/{parts[1]}"):
        return found
    return msgspec.structs.replace(found, repo=f"{parts[0]}/{parts[1]}", remote_path="/".join(parts[2:]))
