"""The library's model files.

Paths below the person's folder or our own resources are kept relative, so that a data folder may move.
"""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from app.base.paths import Places, resources
from app.engine.values import ModelFile
from app.store.reader import Query, Reader
from app.store.tables import ModelRow
from app.store.text import storable
from app.store.writer import Writer

_COPIED = (
    "name", "architecture", "quantization", "size_bytes", "n_params", "n_ctx_train", "fingerprint", "license",
    "problem",
)  # fmt: skip
_COLUMNS = (ModelRow.id, ModelRow.root, ModelRow.path, ModelRow.is_starter, *(getattr(ModelRow, n) for n in _COPIED))
_ALL = Query(sa.select(*_COLUMNS).order_by(ModelRow.is_starter, ModelRow.name, ModelRow.id))
_ONE = Query(sa.select(*_COLUMNS).where(ModelRow.id == sa.bindparam("one", "")))


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
        that two processes that find the same file at once agree on it."""
        root, path = self._split(Path(model.path))
        values: dict[str, Any] = {name: getattr(model, name) for name in _COPIED}
        values |= {"root": root, "path": path, "is_starter": int(model.is_starter)}
        values |= {name: storable(value) for name, value in values.items() if isinstance(value, str)}

        def work(connection: sa.Connection) -> ModelFile:
            same_path = sa.select(ModelRow.id).where(ModelRow.root == root, ModelRow.path == values["path"])
            model_id = connection.scalar(same_path) or model.id
            before = connection.scalar(sa.select(ModelRow.fingerprint).where(ModelRow.id == model_id))
            if before is None:
                connection.execute(sa.insert(ModelRow).values(id=model_id, **values))
            else:
                if before != model.fingerprint:
                    values["sha256"] = None  # it was another file's
                connection.execute(sa.update(ModelRow).where(ModelRow.id == model_id).values(**values))
            return msgspec.structs.replace(model, id=model_id)

        return self._writer.submit(work)

    def remove(self, id: str) -> Future[None]:
        """Forgets the row; the file is not touched. Replies keep the model's name."""

        def work(connection: sa.Connection) -> None:
            connection.execute(sa.delete(ModelRow).where(ModelRow.id == id))

        return self._writer.submit(work)

    def _split(self, path: Path) -> tuple[str, str]:
        for root, folder in self._roots.items():
            if path.is_relative_to(folder):
                return root, path.relative_to(folder).as_posix()
        return "", str(path)

    def _value(self, row: tuple[Any, ...]) -> ModelFile:
        model_id, root, path, is_starter, *copied = row
        whole = str(self._roots[root] / path) if root else path
        rest = dict(zip(_COPIED, copied, strict=True))
        return ModelFile(id=model_id, path=whole, is_starter=bool(is_starter), **rest)
