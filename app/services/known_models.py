"""What was learned of model files, so that it need not be read again: in this process, and in the store.

A file is read when it is new, or its time or size are others; everything else of it comes from its row. Where on the
Hub a file came from is known from its download, and stays known when that is forgotten.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from app.base.errors import InglenookError
from app.base.ids import new_id
from app.engine.values import ModelFile
from app.hub.elsewhere.system import is_file
from app.hub.errors import HubError
from app.hub.names import Kind, kind
from app.hub.values import Download, DownloadState
from app.services.ground import Ground
from app.services.queue import from_row
from app.services.reading import Stamp, read_model, stamp_of, with_place
from app.services.shelves import Shelves, Spot

log = logging.getLogger(__name__)

WRITE_TIMEOUT_S = 10.0
_LATER_MS = 60_000

_Key = tuple[int, int, bool]


class KnownModels:
    """Not thread-safe: the library has the lock."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._seen: dict[str, tuple[_Key, ModelFile]] = {}

    def of(self, spots: Iterable[Spot]) -> list[ModelFile]:
        """The models at these places, each with the id of its row; without those that went since they were found."""
        rows, downloads = self.rows(), self._downloads()
        models = [self._one(spot, rows, downloads) for spot in spots]
        return [model for model in models if model is not None]

    def away(self, present: Iterable[ModelFile], shelves: Shelves) -> list[ModelFile]:
        """The remembered models of folders that are not there now."""
        if not any(shelf.away for shelf in shelves.shelves):
            return []
        there = {model.path for model in present}
        found: list[ModelFile] = []
        for path, row in self.rows().items():
            shelf = shelves.shelf_of(path) if path not in there else None
            if shelf is not None and shelf.away and row.fingerprint:
                found.append(msgspec.structs.replace(row, origin=shelf.origin, away=True, also_at=()))
        return found

    def by_id(self, model_id: str) -> ModelFile | None:
        """A model that was looked at in this process."""
        return next((model for _, model in list(self._seen.values()) if model.id == model_id), None)

    def rows(self) -> dict[str, ModelFile]:
        """Everything that was ever kept, by path."""
        store = self._ground.open_store
        if store is None:
            return {}
        try:
            return {model.path: model for model in store.models.list()}
        except InglenookError as error:
            self._ground.trouble(error)
            return {}

    def keep(self, model: ModelFile) -> ModelFile:
        """Keeps what is known of a model now. A disk that refuses is no trouble here: it is read again then."""
        model = msgspec.structs.replace(model, also_at=(), away=False)
        store = self._ground.open_store
        if store is None:
            return model
        try:
            kept = store.models.upsert(model).result(WRITE_TIMEOUT_S)
        except (InglenookError, TimeoutError) as error:
            log.info("a model's row could not be written: %s", type(error).__name__)
            return model
        cached = self._seen.get(model.path)
        if cached is not None:
            self._seen[model.path] = (cached[0], kept)
        return kept

    def forget(self, model_id: str) -> None:
        """Drops the row. Raises a StoreError."""
        for path in [path for path, (_, model) in self._seen.items() if model.id == model_id]:
            del self._seen[path]
        store = self._ground.open_store
        if store is not None:
            store.models.remove(model_id).result(WRITE_TIMEOUT_S)

    def _one(self, spot: Spot, rows: dict[str, ModelFile], downloads: dict[str, Download]) -> ModelFile | None:
        path = spot.found.path
        stamp = stamp_of(Path(path))
        key = (*stamp, os.access(path, os.R_OK))
        cached = self._seen.get(path)
        if cached is not None and cached[0] == key:
            model = cached[1]
        else:
            row = rows.get(path)
            model = row if row is not None and _same(row, stamp) else read_model(spot, stamp)
        if model.problem and not is_file(Path(path)):  # what is known of it stays
            return None
        model = _downloaded(with_place(model, spot), downloads.get(path))
        if cached is not None and cached[0] == key and cached[1] == model:
            return model
        model = self._stored(model, rows)
        self._seen[path] = (key, model)
        return model

    def _stored(self, model: ModelFile, rows: dict[str, ModelFile]) -> ModelFile:
        """The model with its row's id and what the row knows of the same content. A file that was moved keeps the row
        it had."""
        row = rows.get(model.path) or _moved(model, rows)
        if row is not None and row.path != model.path:
            del rows[row.path]  # no second copy takes it too
            self._seen.pop(row.path, None)
        model = msgspec.structs.replace(model, id=row.id if row is not None else new_id())
        if row is None or row.fingerprint != model.fingerprint:
            return self.keep(model)
        if not model.sha256:
            model = msgspec.structs.replace(model, sha256=row.sha256)
        if not model.repo:
            model = msgspec.structs.replace(model, repo=row.repo, commit=row.commit, remote_path=row.remote_path)
        return model if msgspec.structs.replace(row, adapter=model.adapter) == model else self.keep(model)

    def _downloads(self) -> dict[str, Download]:
        """The downloads that are done, by the path of their first file."""
        store = self._ground.open_store
        if store is None:
            return {}
        from app.hub.downloader import places  # brings the whole way of a download, which a start does not need

        found: dict[str, Download] = {}
        try:
            for row in store.downloads.list():
                if row.state == DownloadState.DONE.value:
                    download = from_row(row)
                    found[str(places(download)[download.files[0].path])] = download
        except (InglenookError, msgspec.DecodeError, IndexError) as error:
            log.info("the downloads could not be read: %s", type(error).__name__)
        return found


def _same(row: ModelFile, stamp: Stamp) -> bool:
    return (row.mtime_ns, row.size_bytes) == stamp and bool(row.fingerprint) and not row.problem


def _downloaded(model: ModelFile, download: Download | None) -> ModelFile:
    """The model with what its download knows, if it is still the file that came."""
    if download is None:
        return model
    files = [file for file in download.files if kind(file.path) is not Kind.PROJECTOR]
    later = model.mtime_ns // 1_000_000 > download.finished_ms + _LATER_MS
    if later or sum(file.size_bytes for file in files) != model.size_bytes:
        return model
    digests = tuple(file.sha256.lower() for file in files)
    known = msgspec.structs.replace(
        model,
        repo=download.repo,
        commit=download.commit,
        remote_path=files[0].path,
        sha256=digests if all(digests) else model.sha256,
    )
    projector = next((file.path for file in download.files if kind(file.path) is Kind.PROJECTOR), "")
    from app.hub.downloader import places

    try:
        path = places(download)[projector] if projector else None
    except HubError:
        return known
    return known if path is None or not path.exists() else msgspec.structs.replace(known, projector=str(path))


def _moved(model: ModelFile, rows: dict[str, ModelFile]) -> ModelFile | None:
    """The row of the same content whose file has left its folder. Not one whose folder is away."""
    if not model.fingerprint:
        return None
    same = (row for row in rows.values() if row.fingerprint == model.fingerprint)
    return next((row for row in same if not Path(row.path).exists() and Path(row.path).parent.exists()), None)
