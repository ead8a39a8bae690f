"""The model files a person can choose from: their own folder, single files, and the starter model that came along.

Reading headers is the engine's room; remembering them is the store's. Nothing is moved, copied or deleted here.
"""

from __future__ import annotations

import builtins
import logging
import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import msgspec

from app.base.errors import InglenookError
from app.base.ids import new_id
from app.base.paths import Places
from app.engine.errors import EngineError, printable
from app.engine.gguf import check_loadable, file_type, fingerprint
from app.engine.gguf_header import Header
from app.engine.values import ModelFile
from app.services.changes import LibraryChanged, Publisher
from app.services.errors import NoModelFound, NoSuchThing
from app.services.ground import Ground
from app.settings.file import SettingsFile
from app.store.text import storable

log = logging.getLogger(__name__)

STARTER_LICENSE = "Apache-2.0"
WRITE_TIMEOUT_S = 10.0
MAX_FILES = 2000
MAX_DEPTH = 4

_Stamp = tuple[int, int]


class Library:
    """The list is empty until the first `refresh`. All methods may be called from any thread; `list` never touches a
    disk."""

    def __init__(
        self, places: Places, resources: Path, settings: SettingsFile, ground: Ground, publisher: Publisher
    ) -> None:
        self._places = places
        self._resources = resources
        self._settings = settings
        self._ground = ground
        self._publisher = publisher
        self._lock = threading.RLock()
        self._models: list[ModelFile] = []
        self._seen: dict[str, tuple[_Stamp, ModelFile]] = {}
        self.refreshed = threading.Event()

    @property
    def folder(self) -> Path:
        """The person's own folder of models."""
        chosen = self._settings.current.general.models_dir
        return _whole(chosen) if chosen else self._places.models

    def list(self) -> list[ModelFile]:
        """The person's own first, by name, then the starter model."""
        return list(self._models)

    def get(self, model_id: str) -> ModelFile | None:
        """The model with this id, listed or used by its path."""
        listed = next((model for model in self._models if model.id == model_id), None)
        return listed or next((model for _, model in list(self._seen.values()) if model.id == model_id), None)

    def refresh(self) -> builtins.list[ModelFile]:
        """Looks again at the folders; publishes LibraryChanged when the list is another one."""
        with self._lock:
            known = self._rows()
            models = [self._facts(path, known) for path in self._own_files()]
            models.sort(key=lambda model: (model.name.lower(), model.path))
            models += [self._facts(path, known, starter=True) for path in self._starter_files()]
            changed, self._models = models != self._models, models
        self.refreshed.set()
        if changed:
            self._publisher.publish(LibraryChanged())
        return list(models)

    def add_file(self, path: Path) -> ModelFile:
        """Adds a single file where it lies. Raises ModelFileError or NoSuchThing when it cannot be a chat model."""
        path = path.absolute()
        check_loadable(path)
        files = self._settings.current.general.model_files
        listed = {model.path for model in self.list()}
        if str(path) not in files and str(path) not in listed:
            self._settings.change("general.model_files", (*files, str(path)))
        self.refresh()
        return self.find(str(path))

    def find(self, what: str) -> ModelFile:
        """A model by path, id, file name or name, or by an unambiguous part of these. Raises NoSuchThing."""
        path = _whole(what)
        if _is_file(path) or os.sep in what or (what.lower().endswith(".gguf") and path.exists()):
            return self._by_path(path.absolute(), what)
        if not self.refreshed.is_set():
            self.refresh()
        wanted = what.strip().lower()
        for key in (_exactly, _partly):
            found = [model for model in self._models if key(model, wanted)]
            if len(found) == 1 or (found and key is _exactly):
                return found[0]
            if found:
                names = ", ".join(model.name for model in found[:4])
                raise NoSuchThing(f"More than one model is called like '{what}': {names}. Give more of the name.")
        raise NoSuchThing(f"There is no model called '{what}'. `inglenook models list` shows which there are.")

    def default(self) -> ModelFile:
        """The model used last, else the first that can be loaded. Raises NoModelFound."""
        if not self.refreshed.is_set():
            self.refresh()
        usable = [model for model in self._models if not model.problem]
        last = self._settings.current.general.last_model_id
        for model in usable:
            if model.id == last:
                return model
        if usable:
            return usable[0]
        raise NoModelFound(f"There is no model yet. Put a GGUF file into {self.folder} or choose one with --model.")

    def _by_path(self, path: Path, what: str) -> ModelFile:
        if not path.exists():
            raise NoSuchThing(f"There is no file {what}.")
        if not path.is_file():
            raise NoSuchThing(f"{what} is not a file.")
        with self._lock:
            return self._facts(path, self._rows(), starter=path.is_relative_to(self._resources))

    def _own_files(self) -> Iterator[Path]:
        seen: set[str] = set()
        for path in (*_gguf_below(self.folder), *map(Path, self._settings.current.general.model_files)):
            if str(path) not in seen:
                seen.add(str(path))
                if _is_file(path):
                    yield path

    def _starter_files(self) -> Iterator[Path]:
        folder = self._resources / "models"
        if folder.is_dir():
            yield from sorted(path for path in folder.glob("*.gguf") if path.is_file())

    def _rows(self) -> dict[str, ModelFile]:
        store = self._ground.open_store
        if store is None:
            return {}
        try:
            return {model.path: model for model in store.models.list()}
        except InglenookError as error:
            self._ground.trouble(error)
            return {}

    def _facts(self, path: Path, rows: dict[str, ModelFile], *, starter: bool = False) -> ModelFile:
        """What is known of a file; its header is read only when path, time or size are new."""
        try:
            status = path.stat()
        except OSError:
            stamp = (0, 0)
        else:
            stamp = (status.st_mtime_ns, status.st_size)
        cached = self._seen.get(str(path))
        if cached is not None and cached[0] == stamp:
            return cached[1]
        model = self._stored(_read(path, stamp[1], starter=starter), rows)
        self._seen[str(path)] = (stamp, model)
        return model

    def _stored(self, model: ModelFile, rows: dict[str, ModelFile]) -> ModelFile:
        """The model with its row's id. A file that was moved keeps the row it had."""
        row = rows.get(model.path) or self._moved(model, rows)
        model = msgspec.structs.replace(model, id=row.id if row is not None else new_id())
        store = self._ground.open_store
        if row == model or store is None:
            return model
        try:
            future: Future[ModelFile] = store.models.upsert(model)
            return future.result(WRITE_TIMEOUT_S)
        except (InglenookError, TimeoutError) as error:
            log.info("a model's row could not be written: %s", type(error).__name__)
            return model

    @staticmethod
    def _moved(model: ModelFile, rows: dict[str, ModelFile]) -> ModelFile | None:
        if not model.fingerprint:
            return None
        same = (row for row in rows.values() if row.fingerprint == model.fingerprint)
        return next((row for row in same if not Path(row.path).exists()), None)


def _gguf_below(folder: Path, depth: int = MAX_DEPTH) -> list[Path]:
    """GGUF files of a folder and those below, without later parts of split models. An unreadable folder has none."""
    found: list[Path] = []
    try:
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name.lower()):
                if entry.name.startswith(".") or len(found) >= MAX_FILES:
                    continue
                if _is_folder(entry):
                    found += _gguf_below(Path(entry.path), depth - 1) if depth > 0 else []
                elif entry.name.lower().endswith(".gguf") and not _later_part(entry.name):
                    found.append(Path(entry.path))
    except OSError:
        return found
    return found[:MAX_FILES]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, or to where nobody may look
        return False


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # in a folder that may not be looked into
        return False


def _whole(text: str) -> Path:
    """The path, with ~ written out where there is such a home folder."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def _later_part(name: str) -> bool:
    stem = name[: -len(".gguf")]
    part, of, _ = stem[-14:].partition("-of-")
    return bool(of) and part[1:].isdigit() and int(part[1:]) > 1


def _read(path: Path, size_bytes: int, *, starter: bool) -> ModelFile:
    model = ModelFile(
        id="", path=str(path), name=storable(path.stem), architecture="", quantization="", size_bytes=size_bytes,
        n_params=0, n_ctx_train=0, fingerprint="", is_starter=starter, license=STARTER_LICENSE if starter else "",
    )  # fmt: skip
    try:
        header = check_loadable(path)
        return msgspec.structs.replace(
            model,
            name=_stem(path, file_type(header)) if starter else _name(header) or path.stem,
            architecture=header.architecture,
            quantization=file_type(header),
            n_params=sum(tensor.elements for tensor in header.tensors),
            n_ctx_train=header.number("{arch}.context_length"),
            fingerprint=fingerprint(path),
            license=header.text("general.license") or model.license,
        )
    except EngineError as error:
        return msgspec.structs.replace(model, problem=error.sentence)


def _stem(path: Path, quantization: str) -> str:
    """The file's name without its quantization, for our own model: its header calls it by the name of an experiment."""
    return path.stem.removesuffix(f".{quantization}") if quantization else path.stem


def _name(header: Header) -> str:
    return printable(header.text("general.name"), 120)


def _exactly(model: ModelFile, wanted: str) -> bool:
    path = Path(model.path)
    return wanted in (model.id, model.name.lower(), path.name.lower(), path.stem.lower())


def _partly(model: ModelFile, wanted: str) -> bool:
    return bool(wanted) and (wanted in model.name.lower() or wanted in Path(model.path).stem.lower())
