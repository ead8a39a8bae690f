"""The process that runs the steps between schemas for another one (apart.py)."""

from __future__ import annotations

import json
import os
from pathlib import Path

from app.base.errors import InglenookError
from app.base.paths import Places
from app.store import errors
from app.store.connect import Database
from app.store.migrate import Schema, prepare
from app.store.ownership import Owner


def main() -> int:
    """Reads the task from stdin, runs it, tells how it ended."""
    answer: dict[str, str | None] = {"code": None}
    try:
        with open(0, "rb", closefd=False) as asked:  # not sys.stdin: a program without a console has none
            task = json.loads(asked.readline())
        places = Places(Path(task["data"]), Path(task["logs"]))
        key = bytes.fromhex(task["key"]) if task["key"] is not None else None
        database = Database(
            places.database,
            key=None if key is None else lambda: key,
            busy_timeout_s=task["busy_timeout_s"],
        )
        schema = Schema(known=tuple(task["known"]), scripts=Path(task["scripts"]))
        owner = Owner(places.owners)
        try:
            prepare(database, places, owner, schema)
        finally:
            owner.close()
    except InglenookError as error:
        answer = {"code": error.code, "sentence": error.sentence, "detail": error.detail}
    except OSError as error:
        found = errors.from_os_error(error, places.database)
        answer = {"code": found.code, "sentence": found.sentence, "detail": found.detail}
    os.write(1, json.dumps(answer).encode())
    return 0
