"""LoRA adapters: which there are, and whether they belong to the model that would write with them.

Which of them a conversation uses is the conversation's (`conversations.configure`). The engine checks once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

import msgspec

from app.base.errors import InglenookError
from app.engine.adapters import check_fits, describe, read_adapter
from app.engine.errors import AdapterMisfit
from app.engine.gguf import check_loadable, read_others
from app.engine.gguf_header import Header
from app.engine.values import Adapter, AdapterFile
from app.services.errors import NoSuchThing
from app.services.jobs import Jobs
from app.services.library import Library
from app.services.loading import Loading
from app.services.ranges import check_scales
from app.services.shelves import whole

_Headers = tuple[str, int, list[Header]]


class Adapters:
    """Thread-safe."""

    def __init__(self, library: Library, loading: Loading, jobs: Jobs) -> None:
        self._library = library
        self._loading = loading
        self._jobs = jobs
        self._model: _Headers = ("", 0, [])  # the headers of the last model that was looked at

    def found(self) -> list[AdapterFile]:
        """Those that lie among the models. Never touches a disk."""
        return self._library.adapters()

    def look(self, paths: Sequence[str], model_id: str = "") -> Future[list[AdapterFile]]:
        """What these files are; `problem` says why one cannot be used with a model ('': the one that would write)."""
        return self._jobs.submit(lambda: [self._looked_at(Path(path), model_id) for path in paths])

    def named(self, what: str) -> Adapter:
        """From 'FILE', 'FILE:SCALE', or the name of one of those found in place of the file. Raises NoSuchThing,
        NotAllowed for the scale, and AdapterMisfit for a file that is no adapter."""
        before, _, after = what.rpartition(":")
        scale = _number(after) if before else None
        name = what if scale is None else before
        path = whole(name)
        if not path.is_file():
            wanted = name.strip().lower()
            called = [one for one in self._all() if wanted in (one.name.lower(), Path(one.path).stem.lower())]
            if len(called) > 1:
                raise NoSuchThing(f"More than one adapter is called '{name}'. Name its file.")
            path = Path(called[0].path) if called else path
        adapter = Adapter(path=str(path.absolute()), scale=1.0 if scale is None else scale)
        check_scales([adapter])
        read_adapter(path)
        return adapter

    def _all(self) -> list[AdapterFile]:
        if not self._library.refreshed.is_set():
            self._library.refresh()
        return self.found()

    def _looked_at(self, path: Path, model_id: str) -> AdapterFile:
        found = AdapterFile(path=str(path), name=path.stem)
        try:
            header = read_adapter(path)
            found = describe(path, header)
            model = self._headers(model_id)
            if model:
                check_fits(path, header, model)
        except AdapterMisfit as error:
            return msgspec.structs.replace(found, problem=error.sentence)
        return found

    def _headers(self, model_id: str) -> list[Header]:
        """Those of the model's files; none where there is no model, or one that cannot be read now."""
        try:
            file = self._loading.choice(model_id)
            if self._model[:2] != (file.path, file.mtime_ns):
                path = Path(file.path)
                self._model = file.path, file.mtime_ns, [check_loadable(path), *read_others(path)]
        except InglenookError:
            return []
        return self._model[2]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
