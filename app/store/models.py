"""The library's model files.

Paths below the person's folder or our own resources are kept relative, so that a data folder may move.
"""

from __future__ import annotations

import os
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from app.base.paths import Places, resources
from app.engine.values import ModelFile, Origin
from app.store.reader import Query, Reader
from app.store.tables import LoadPlanRow, ModelRow
from app.store.text import storable
from app.store.writer import Writer

_COPIED = (
    "name", "architecture", "quantization", "size_bytes", "n_params", "n_ctx_train", "fingerprint", "license",
    "problem", "mtime_ns", "parts", "repo", "remote_path",
)  # fmt: skip
_NAMES = ("id", "root", "path", "is_starter", "sha256", "origin", "revision", "projector", *_COPIED)
_COLUMNS = tuple(getattr(ModelRow, name) for name in _NAMES)
_ALL = Query(sa.select(*_COLUMNS).order_by(ModelRow.is_starter, ModelRow.name, ModelRow.id))
_ONE = Query(sa.select(*_COLUMNS).where(ModelRow.id == sa.bindparam("one", "")))
_LEARNED = ("sha256", "repo", "revision", "remote_path")


class Models:
    """Reads on the caller's thread; every write returns a Future."""

    def __init__(self, reader: Reader, writer: Writer, places: Places) -> None:
        self._reader = reader
        self._writer = writer
        self._roots = {"models": places.models, "resources": resources()}

    def list(self) -> list[ModelFile]:
        """All of them by name, the starter model last."""
        return [self._value(row) for row in self._reader.rows(_ALL)]

    def get(self, id: str) -> ModelFile | None:
        """The model with this id, if there is one."""
        row = self._reader.row(_ONE, one=id)
        return None if row is None else self._value(row)

    def upsert(self, model: ModelFile) -> Future[ModelFile]:
        """Adds or replaces by id. A path that is there already keeps its row's id, which the returned value carries, so
        that two processes that find the same file at once agree on it. What was learned of the same content (its
        sha256, where on the Hub it came from) stays where `model` does not know it."""
        root, path = self._split(Path(model.path))
        values: dict[str, Any] = {name: getattr(model, name) for name in _COPIED}
        values |= {"root": root, "path": path, "is_starter": int(model.is_starter), "origin": model.origin.value}
        values |= {"sha256": " ".join(model.sha256) or None, "revision": model.commit}
        values["projector"] = _beside(model)
        values |= {name: storable(value) for name, value in values.items() if isinstance(value, str)}

        def work(connection: sa.Connection) -> ModelFile:
            same_path = sa.select(ModelRow.id).where(ModelRow.root == root, ModelRow.path == values["path"])
            model_id = connection.scalar(same_path) or model.id
            before = connection.scalar(sa.select(ModelRow.fingerprint).where(ModelRow.id == model_id))
            if before is None:
                connection.execute(sa.insert(ModelRow).values(id=model_id, **values))
            else:
                kept = {name for name in _LEARNED if before == model.fingerprint and not values[name]}
                changed = {name: value for name, value in values.items() if name not in kept}
                connection.execute(sa.update(ModelRow).where(ModelRow.id == model_id).values(**changed))
            return msgspec.structs.replace(model, id=model_id)

        return self._writer.submit(work)

    def remove(self, id: str) -> Future[None]:
        """Forgets the row and its load plan; the file is not touched. Replies keep the model's name."""

        def work(connection: sa.Connection) -> None:
            connection.execute(sa.delete(LoadPlanRow).where(LoadPlanRow.model_id == id))
            connection.execute(sa.delete(ModelRow).where(ModelRow.id == id))

        return self._writer.submit(work)

    def _split(self, path: Path) -> tuple[str, str]:
        for root, folder in self._roots.items():
            if path.is_relative_to(folder):
                return root, path.relative_to(folder).as_posix()
        return "", str(path)

    def _value(self, row: tuple[Any, ...]) -> ModelFile:
        model_id, root, path, is_starter, sha256, origin, commit, projector, *copied = row
        whole = str(self._roots[root] / path) if root else path
        return ModelFile(
            id=model_id,
            path=whole,
            is_starter=bool(is_starter),
            sha256=tuple((sha256 or "").split()),
            origin=Origin(origin) if origin in set(Origin) else Origin.OWN,
            commit=commit,
            projector=os.path.normpath(Path(whole).parent / projector) if projector else "",
            **dict(zip(_COPIED, copied, strict=True)),
        )


def _beside(model: ModelFile) -> str:
    """The projector's path from the model's folder, or its whole path where that is on another drive."""
    if not model.projector:
        return ""
    try:
        return Path(os.path.relpath(model.projector, Path(model.path).parent)).as_posix()
    except ValueError:  # another drive of Windows
        return model.projector
