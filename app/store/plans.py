"""Load plans that worked, one for a model."""

from __future__ import annotations

from concurrent.futures import Future

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from app.engine.values import LoadOptions
from app.store.kept import KeptPlan
from app.store.reader import Query, Reader
from app.store.tables import LoadPlanRow
from app.store.text import storable
from app.store.writer import Writer

_R = LoadPlanRow
_ONE = Query(
    sa.select(_R.machine, _R.options, _R.stepped_down, _R.by_person, _R.made_ms).where(
        _R.model_id == sa.bindparam("model", "")
    )
)


class Plans:
    """Reads on the caller's thread; every write returns a Future."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader = reader
        self._writer = writer

    def get(self, model_id: str) -> KeptPlan | None:
        """What is kept for a model; None too where it was written by a version with other options."""
        row = self._reader.row(_ONE, model=model_id)
        if row is None:
            return None
        machine, options, stepped_down, by_person, made_ms = row
        try:
            found = msgspec.json.decode(options, type=LoadOptions)
        except msgspec.MsgspecError:
            return None
        return KeptPlan(
            model_id=model_id,
            machine=machine,
            options=found,
            stepped_down=stepped_down,
            by_person=bool(by_person),
            made_ms=made_ms,
        )

    def keep(self, plan: KeptPlan) -> Future[None]:
        """Keeps it in place of what was kept for this model."""
        values = {
            "machine": storable(plan.machine),
            "options": msgspec.json.encode(plan.options).decode(),
            "stepped_down": storable(plan.stepped_down),
            "by_person": int(plan.by_person),
            "made_ms": plan.made_ms,
        }

        def work(connection: sa.Connection) -> None:
            statement = insert(_R).values(model_id=plan.model_id, **values)
            connection.execute(statement.on_conflict_do_update(index_elements=[_R.model_id], set_=values))

        return self._writer.submit(work)

    def forget(self, model_id: str) -> Future[None]:
        """Removes what is kept for a model; there may be nothing."""

        def work(connection: sa.Connection) -> None:
            connection.execute(sa.delete(_R).where(_R.model_id == model_id))

        return self._writer.submit(work)
