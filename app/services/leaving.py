"""Leaving: everything the application keeps on this computer, with sizes, and taking it away for good.

Models are told apart, because they are large, took long to get and may serve other programs. What nobody here made is
never touched: a folder goes only when nothing is left in it.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from app.base.log import stop_log
from app.base.paths import Places
from app.services.errors import InUse
from app.services.ground import Ground
from app.services.machine import FILE as MACHINE
from app.settings.file import SettingsFile
from app.store.ownership import anyone

log = logging.getLogger(__name__)

IN_USE = (
    "Nothing was removed: another Inglenook uses this data too, a window or a command in a terminal. Quit it, then try "
    "again."
)


class Possession(msgspec.Struct, frozen=True, kw_only=True):
    """Files of one kind. `what` names them for a person; `models` is asked about separately."""

    what: str
    files: tuple[str, ...]
    size_bytes: int
    models: bool = False


class Leaving:
    """`forget_token` takes an access token out of the system's keyring; it is called when data is removed."""

    def __init__(
        self, places: Places, ground: Ground, settings: SettingsFile, forget_token: Callable[[], None]
    ) -> None:
        self._places = places
        self._ground = ground
        self._settings = settings
        self._forget_token = forget_token
        self._agreed: bool | None = None  # None: not asked to go; else whether the models go too

    def possessions(self) -> list[Possession]:
        """What is there, in the order it is told; kinds of which there is nothing are left out."""
        places, data = self._places, self._places.data
        kinds = (
            ("Conversations", _beginning(data, places.database.name)),
            ("Copies of the conversations from before updates", _below(places.backups)),
            ("What the engine remembers of conversations", _below(places.snapshots)),
            ("Settings", [*_beginning(data, places.settings.name), *_beginning(data, places.window_state.name)]),
            ("What was measured of this computer", _beginning(data, MACHINE)),
            ("Marks of running programs", [*_below(places.owners), *_named(data, "window.lock", "token-in-keyring")]),
            ("Log", _below(places.logs)),
        )
        found = [_possession(what, files) for what, files in kinds]
        found.append(_possession("Models", self._models(), models=True))
        return [one for one in found if one.files]

    def agree(self, *, models: bool) -> None:
        """Everything goes when the application has ended, the models only if `models`. Raises InUse."""
        self.ensure_alone()
        self._agreed = models

    def ensure_alone(self) -> None:
        """Raises InUse while another Inglenook uses the folder: what it writes would come back, or be torn apart."""
        store = self._ground.open_store
        if store.others() if store is not None else anyone(self._places.owners):
            raise InUse(IN_USE)

    def carry_out(self) -> str:
        """Removes what was agreed to, if anything was; for the very end, when nothing is written any more. Returns what
        stayed against the person's will, in a sentence, or ''."""
        if self._agreed is None:
            return ""
        stop_log()
        try:
            left = self.remove(one for one in self.possessions() if self._agreed or not one.models)
        except InUse as error:
            return error.sentence
        return f"Not everything could be removed. The system did not let go of {', '.join(left)}." if left else ""

    def remove(self, possessions: Iterable[Possession]) -> list[str]:
        """Removes these for good; returns what the system would not let go. Raises InUse."""
        self.ensure_alone()
        wanted = list(possessions)
        if any(not one.models for one in wanted):
            self._forget_token()
        left = []
        for file in (Path(file) for one in wanted for file in one.files):
            try:
                file.unlink(missing_ok=True)
            except OSError as error:
                log.info("not removed: %s", type(error).__name__)
                left.append(str(file))
        for folder in self._folders():
            _fold(folder)
        return left

    def _models(self) -> list[Path]:
        chosen = self._settings.current.general.models_dir
        folder = Path(chosen).expanduser() if chosen else self._places.models
        endings = (".gguf", ".part", ".part.json")
        return [file for file in _below(folder) if file.name.lower().endswith(endings)]

    def _folders(self) -> list[Path]:
        places = self._places
        inner = [places.backups, places.snapshots, places.owners, places.logs, places.models]
        above = [folder.parent for folder in (places.logs,) if not folder.is_relative_to(places.data)]
        return [*inner, *above, places.data]


def _possession(what: str, files: Iterable[Path], *, models: bool = False) -> Possession:
    known = sorted(set(files))
    size = 0
    for file in known:
        with contextlib.suppress(OSError):
            size += file.lstat().st_size
    return Possession(what=what, files=tuple(map(str, known)), size_bytes=size, models=models)


def _beginning(folder: Path, name: str) -> list[Path]:
    """The file, and what SQLite or a save cut short left beside it."""
    with contextlib.suppress(OSError):
        return [file for file in folder.iterdir() if file.name.startswith(name) and not file.is_dir()]
    return []


def _named(folder: Path, *names: str) -> list[Path]:
    return [folder / name for name in names if os.path.lexists(folder / name)]


def _below(folder: Path) -> list[Path]:
    """Every file below; links are files, and are not followed."""
    return [Path(above, file) for above, _folders, files in os.walk(folder) for file in files] + list(_links(folder))


def _links(folder: Path) -> Iterator[Path]:
    for above, folders, _files in os.walk(folder):
        yield from (Path(above, name) for name in folders if Path(above, name).is_symlink())


def _fold(folder: Path) -> None:
    """Removes a folder with the folders in it, as far as they are empty."""
    for above, _folders, _files in os.walk(folder, topdown=False):
        with contextlib.suppress(OSError):
            Path(above).rmdir()
