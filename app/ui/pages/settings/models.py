"""Where models are looked for: the person's own folder, further folders and files, and what other programs hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog

from app.base.errors import InglenookError
from app.base.sizes import size_words
from app.engine.values import Origin
from app.services.shelves import Place, whole
from app.ui.model_words import home_short
from app.ui.pages.settings.parts import Section
from app.ui.pages.settings.places import Entry, PlaceList
from app.ui.ports import JobsPort, LibraryPort, SettingsPort
from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import Button
from app.ui.widgets.controls import Switch
from app.ui.widgets.labels import Label

Change = Callable[[str, object], None]
TASK = "inglenook-library"
LOOKING = "Looking…"
AWAY = "Not there now; it comes back with its drive"
MISSING = "The file is not there any more"
PROGRAMS = {
    Origin.LM_STUDIO: ("lm_studio", "Models of LM Studio"),
    Origin.OLLAMA: ("ollama", "Models of Ollama"),
    Origin.HUGGING_FACE: ("hugging_face", "Models in the Hugging Face cache"),
}
LEFT_OUT = "Left out; its files stay as they are"
NONE_FOUND = "None found on this computer"


class ModelsSection(Section):
    """Everything that reads the disk does so on a thread of the services. `said` is a word about what was done, with
    what takes it back or None."""

    said = Signal(str, object)
    _settled = Signal(str, object)

    def __init__(
        self, theme: Theme, settings: SettingsPort, change: Change, library: LibraryPort, jobs: JobsPort
    ) -> None:
        super().__init__("Models", theme)
        self._settings, self._change, self._library, self._jobs = settings, change, library, jobs
        self._settled.connect(self._settle)
        self.choose = self._button("Choose…", theme, "Choose the folder of models", self._choose_own)
        show = self._button("Show", theme, "Show the folder of models", self._show_own)
        self.add_row("Folder of models", "Downloads go there, and every GGUF file in it can be chosen", show,
                     self.choose, line=False)  # fmt: skip
        self.own = Label("", theme, "code", "ink2", elide=True)
        self.add_block(self.own, above=0)
        self.add_folder = self._button("Add…", theme, "Add a further folder of models", self._choose_folder)
        self.add_row("Further folders", "GGUF files in them are used where they lie", self.add_folder, line=False)
        self.folders = PlaceList("Further folders", "None", theme)
        self.add_block(self.folders, above=0)
        self.add_file = self._button("Add…", theme, "Add a single model file", self._choose_file)
        self.add_row("Single files", "A GGUF file anywhere, used where it lies", self.add_file, line=False)
        self.files = PlaceList("Single files", "None", theme)
        self.add_block(self.files, above=0)
        for shown in (self.folders, self.files):
            shown.removed.connect(self._take_off)
        self.switches: dict[Origin, Switch] = {}
        for origin, (option, name) in PROGRAMS.items():
            switch = Switch(name, theme)
            switch.clicked.connect(lambda on, option=option: change(f"models.{option}", on))
            self.switches[origin] = switch
            self.add_row(name, NONE_FOUND, switch, line=origin is not Origin.HUGGING_FACE)
        self.finish()

    def _button(self, text: str, theme: Theme, name: str, deed: Callable[[], None]) -> Button:
        button = Button(text, theme)
        button.setAccessibleName(name)
        button.clicked.connect(deed)
        return button

    def reload(self) -> None:
        """Shows what holds, without telling."""
        models = self._settings.current.models
        places = {place.path: place for place in self._library.places()}
        self.own.setText(home_short(str(self._library.folder)))
        self.folders.show_entries([_entry(whole(path), places, _folder_words) for path in models.folders])
        self.files.show_entries([_entry(whole(path), places, _file_words) for path in models.files])
        for origin, (option, name) in PROGRAMS.items():
            on = getattr(models, option)
            self.switches[origin].setChecked(on)
            self.explain(name, _program_words([one for one in places.values() if one.origin is origin], on=on))

    # --- what is done -----------------------------------------------------------------------------------------------

    def _choose_own(self) -> None:
        folder = QFileDialog.getExistingDirectory(self.window(), "Folder of models", str(self._library.folder))
        if folder:
            self._change("general.models_dir", folder)

    def _show_own(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._library.folder)))

    def _choose_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self.window(), "Add a folder of models", str(Path.home()))
        if folder:
            self._add(Path(folder))

    def _choose_file(self) -> None:
        name, _ = QFileDialog.getOpenFileName(
            self.window(), "Add a model file", str(Path.home()), "Models (*.gguf);;All files (*)"
        )
        if name:
            self._add(Path(name))

    def _add(self, path: Path) -> None:
        before = self._settings.current.models
        name = path.name or str(path)

        def work() -> str:
            found = self._library.add_folder(path) if path.is_dir() else [self._library.add_file(path)]
            if self._settings.current.models == before:
                return f"{name} is in the list of models already"
            if not path.is_dir():
                return f"{found[0].name} was added"
            return f"{name} was added, with {_count(len(found)) if found else 'no model in it yet'}"

        self._work(work)

    def _take_off(self, path: str) -> None:
        before = self._settings.current.models

        def take_back() -> None:
            for option in ("folders", "files"):
                if getattr(before, option) != getattr(self._settings.current.models, option):
                    self._change(f"models.{option}", getattr(before, option))

        def work() -> str:
            self._library.take_off(path)
            return f"{Path(path).name or path} is off the list. Nothing was deleted."

        self._work(work, take_back)

    def _work(self, deed: Callable[[], str], undo: Callable[[], None] | None = None) -> None:
        def work() -> None:
            try:
                self._settled.emit(deed(), undo)
            except InglenookError as error:
                self._settled.emit(error.sentence, None)

        self._jobs.start(TASK, work)

    def _settle(self, words: str, undo: object) -> None:
        """Places may be others although no option is: a folder without models was added."""
        self.reload()
        self.said.emit(words, undo)


def _entry(path: Path, places: dict[str, Place], words: Callable[[Place], str]) -> Entry:
    place = places.get(str(path))
    said = words(place) if place is not None else LOOKING
    return Entry(str(path), home_short(path), said, caution=said in (AWAY, MISSING))


def _folder_words(place: Place) -> str:
    if place.away:
        return AWAY
    return _amount(place.models, place.size_bytes) if place.models else "No model in it yet"


def _file_words(place: Place) -> str:
    if place.away:
        return AWAY
    return size_words(place.size_bytes) if place.models else MISSING


def _program_words(places: list[Place], *, on: bool) -> str:
    if not on:
        return LEFT_OUT
    if not any(place.models for place in places):
        away = next((place for place in places if place.away), None)
        return f"{home_short(away.path)} is not there now" if away is not None else NONE_FOUND
    there = [place for place in places if place.models]
    amount = _amount(sum(place.models for place in there), sum(place.size_bytes for place in there))
    return f"{amount}, in {home_short(there[0].path)}" + (" and elsewhere" if there[1:] else "")


def _amount(count: int, size_bytes: int) -> str:
    return f"{_count(count)}, {size_words(size_bytes)}"


def _count(count: int) -> str:
    return f"{count} {'model' if count == 1 else 'models'}"
