"""The models a person can choose from, wherever they lie: listing, finding, adding, checking and removing them.

Where they lie is `shelves`, what is known of them `known_models`, what is the same `sameness`, which one a name means
`model_names`. Nothing of another program is moved, copied or deleted.
"""

from __future__ import annotations

import builtins
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from app.base.paths import Places
from app.engine.gguf import check_loadable
from app.engine.values import AdapterFile, ModelFile, Origin
from app.hub.elsewhere.system import System, is_file
from app.services.changes import LibraryChanged, Publisher
from app.services.errors import NoModelFound, NoSuchThing
from app.services.ground import Ground
from app.services.importing import copy_all, files_of
from app.services.known_models import KnownModels
from app.services.model_names import called, refuse_alike
from app.services.reading import ModelDetails, read_details
from app.services.removing import Removal, removal_of, remove, to_system_trash
from app.services.sameness import own_ids, paths_of, shown_once
from app.services.shelves import Place, Shelves, Spot, is_below, look_around, whole
from app.services.verifying import Finding, Progress, Verdict, verify
from app.settings.file import SettingsFile

log = logging.getLogger(__name__)

AWAY = "The folder or drive it lies on is not there now."


class Library:
    """The list is empty until the first `refresh`. All methods may be called from any thread; `list`, `adapters` and
    `get` never touch a disk."""

    def __init__(
        self,
        places: Places,
        resources: Path,
        settings: SettingsFile,
        ground: Ground,
        publisher: Publisher,
        *,
        system: Callable[[], System] = System.here,
        to_trash: Callable[[Path], None] = to_system_trash,
    ) -> None:
        self._places = places
        self._resources = resources
        self._settings = settings
        self._publisher = publisher
        self._system = system
        self._to_trash = to_trash
        self._lock = threading.RLock()
        self._known = KnownModels(ground)
        self._shelves = Shelves((), ())
        self._all: list[ModelFile] = []
        self._models: list[ModelFile] = []
        self._adapters: list[AdapterFile] = []
        self._ids: dict[str, ModelFile] = {}
        self._rows: dict[str, ModelFile] = {}
        self.refreshed = threading.Event()

    @property
    def folder(self) -> Path:
        """The person's own folder of models."""
        chosen = self._settings.current.general.models_dir
        return whole(chosen) if chosen else self._places.models

    # --- looking ----------------------------------------------------------------------------------------------------

    def list(self) -> list[ModelFile]:
        """The person's own and other programs' by name, each content once, then the starter model."""
        return [*self._models]

    def adapters(self) -> builtins.list[AdapterFile]:
        """The LoRA adapters that lie among the models, by name. They are no models, and in no other list here."""
        return [*self._adapters]

    def get(self, model_id: str) -> ModelFile | None:
        """The model with this id, listed (any of its places counts) or used by its path."""
        return self._ids.get(model_id) or self._known.by_id(model_id)

    def places(self) -> builtins.list[Place]:
        """Where was looked the last time, and how much lies there. Never touches a disk."""
        return self._shelves.places(self._all)

    def refresh(self) -> builtins.list[ModelFile]:
        """Looks again everywhere; publishes LibraryChanged when the list is another one."""
        with self._lock:
            self._shelves = look_around(
                self._settings.current, self.folder, self._places.models, self._resources, self._system()
            )
            present = self._known.of(self._shelves.spots)
            adapters = sorted((one.adapter for one in present if one.adapter), key=lambda one: (one.name, one.path))
            self._all = [one for one in (*present, *self._known.away(present, self._shelves)) if not one.adapter]
            models = [_with_absence(model) for model in shown_once(self._all)]
            changed = (models, adapters) != (self._models, self._adapters)
            self._models, self._adapters = models, adapters
            self._ids = {one: model for model in models for one in own_ids(model, self._all)}
        self.refreshed.set()
        if changed:
            self._publisher.publish(LibraryChanged())
        return [*models]

    def others_wrote(self) -> None:
        """Another process wrote into the store; looks again if it learned of models."""
        rows = self._known.rows()
        if rows != self._rows:
            self.refresh()
            self._rows = self._known.rows()

    def find(self, what: str) -> ModelFile:
        """A model by path, id, file name or name, or by an unambiguous part of these. Raises NoSuchThing."""
        path = whole(what)
        if is_file(path):
            return self._by_path(path.absolute(), what)
        if not self.refreshed.is_set():
            self.refresh()
        found = called(what, self._models)
        if found is None and (os.sep in what or (what.lower().endswith(".gguf") and path.exists())):
            return self._by_path(path.absolute(), what)  # not before: other programs' names have slashes too
        if found is not None:
            return found
        raise NoSuchThing(f"There is no model called '{what}'. `inglenook models list` shows which there are.")

    def recall(self, model_id: str) -> ModelFile | None:
        """The model with this id, and one that an earlier process used by its path too, if its file is still there;
        `get` knows it from then on. Reads the disk."""
        if not self.refreshed.is_set():
            self.refresh()
        path = next((path for path, row in self._known.rows().items() if row.id == model_id), "")
        if self.get(model_id) is None and path and is_file(Path(path)):
            self._by_path(Path(path), path)
        return self.get(model_id)

    def only(self, what: str) -> ModelFile:
        """As `find`, but never one of several that are called alike. Raises NoSuchThing, which tells them apart."""
        model = self.find(what)
        refuse_alike(what, model, self._models)
        return model

    def default(self) -> ModelFile:
        """The model used last, else the first that can be loaded. Raises NoModelFound."""
        if not self.refreshed.is_set():
            self.refresh()
        last = self.get(self._settings.current.general.last_model_id)
        usable = [model for model in self._models if not model.problem]
        if last is not None and last in usable:
            return last
        if usable:
            return usable[0]
        raise NoModelFound(
            "There is no model on this computer yet. Find one on the page Models or with `inglenook models search`, or "
            f"put a GGUF file into {self.folder}."
        )

    def details(self, model_id: str) -> ModelDetails:
        """What the model's own header says. Reads the disk. Raises NoSuchThing or a ModelFileError."""
        return read_details(Path(self._there(model_id).path))

    def whereabouts(self, model_id: str) -> Path:
        """The file to show in a file manager; the nearest folder that is there, when it is away. Raises NoSuchThing."""
        path = Path(self._there(model_id).path)
        while not os.path.lexists(path) and path != path.parent:
            path = path.parent
        return path

    # --- adding -----------------------------------------------------------------------------------------------------

    def add_file(self, path: Path) -> ModelFile:
        """Adds a single file where it lies. Raises ModelFileError or NoSuchThing when it cannot be a chat model."""
        path = path.absolute()
        check_loadable(path)
        files = self._settings.current.models.files
        if str(path) not in files and str(path) not in {model.path for model in self._all}:
            self._settings.change("models.files", (*files, str(path)))
        self.refresh()
        return self.find(str(path))

    def add_folder(self, path: Path) -> builtins.list[ModelFile]:
        """Adds a folder where it lies; returns the models in it. Raises NoSuchThing when it is none."""
        path = path.absolute()
        if not path.is_dir():
            raise NoSuchThing(f"{path} is not a folder.")
        folders = self._settings.current.models.folders
        if str(path) not in folders and path != self.folder and not is_below(str(path), str(self.folder)):
            self._settings.change("models.folders", (*folders, str(path)))
        self.refresh()
        return [model for model in self._models if any(is_below(one, str(path)) for one in paths_of(model))]

    def take_off(self, path: str) -> None:
        """Takes a further folder or a single file off the list. Nothing on the disk changes."""
        models = self._settings.current.models
        for name, paths in (("models.folders", models.folders), ("models.files", models.files)):
            kept = tuple(one for one in paths if str(whole(one)) != path)
            if kept != paths:
                self._settings.change(name, kept)
        self.refresh()

    def bring(
        self, path: Path, *, copy: bool = False, progress: Progress = lambda *_: None, ended: threading.Event
    ) -> builtins.list[ModelFile]:
        """Adds a file or a folder: in place, or as a copy in the person's own folder. Raises NoSuchThing,
        ModelFileError, NotCopied or Interrupted."""
        path = path.absolute()
        if not path.exists():
            raise NoSuchThing(f"There is no {path}.")
        if not copy:
            return self.add_folder(path) if path.is_dir() else [self.add_file(path)]
        if not path.is_dir():
            check_loadable(path)
        copied = {str(one) for one in copy_all(files_of(path), self.folder, progress, ended)}
        self.refresh()
        return [model for model in self._models if copied & set(paths_of(model))]

    # --- checking and removing --------------------------------------------------------------------------------------

    def verify(self, model_id: str, progress: Progress, ended: threading.Event) -> Verdict:
        """Reads the model whole and compares it with what is known; what is learned is kept. Raises NoSuchThing, a
        ModelFileError or Interrupted."""
        model = self._there(model_id)
        verdict = verify(model, progress, ended)
        if verdict.finding is Finding.NEW:
            with self._lock:
                row = next((one for one in self._all if one.path == model.path), model)
                self._known.keep(msgspec.structs.replace(row, sha256=verdict.sha256))
            self.refresh()
        return verdict

    def removal(self, model_id: str) -> Removal:
        """What deleting this model would do. Raises NoSuchThing or NotRemovable."""
        return removal_of(self._there(model_id), self._models)

    def delete(self, model_id: str) -> Removal:
        """Moves the model's files to the system's trash, or takes it out of the list where they are away; returns what
        was done. Raises NoSuchThing, NotRemovable or NotRemoved."""
        with self._lock:
            removal = self.removal(model_id)
            model = self._there(model_id)
            try:
                remove(removal, self.folder, self._to_trash)
                self._forget(model, removal)
            finally:
                self.refresh()
        return removal

    def _forget(self, model: ModelFile, removal: Removal) -> None:
        stay = {place.path for place in removal.stays}
        gone = set(paths_of(model)) - stay
        for row in self._all:
            if row.path in gone:
                self._known.forget(row.id)
        files = self._settings.current.models.files
        kept = tuple(file for file in files if str(whole(file)) not in gone)
        if kept != files:
            self._settings.change("models.files", kept)

    def _there(self, model_id: str) -> ModelFile:
        model = self.get(model_id)
        if model is None:
            raise NoSuchThing("This model is no longer there.", detail=model_id)
        return model

    def _by_path(self, path: Path, what: str) -> ModelFile:
        if not path.exists():
            raise NoSuchThing(f"There is no file {what}.")
        if not path.is_file():
            raise NoSuchThing(f"{what} is not a file.")
        listed = next((model for model in self._models if str(path) in paths_of(model)), None)
        if listed is not None:
            return listed
        with self._lock:
            origin = Origin.STARTER if path.is_relative_to(self._resources) else Origin.FILE
            spots = {spot.found.path: spot for spot in self._shelves.spots}
            found = self._known.of([spots.get(str(path)) or Spot.of_file(path, origin)])
        if not found:
            raise NoSuchThing(f"There is no file {what}.")
        return found[0]


def _with_absence(model: ModelFile) -> ModelFile:
    return msgspec.structs.replace(model, problem=AWAY) if model.away else model
