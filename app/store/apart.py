"""Has the steps between schemas run by a process of their own (migrator.py): the window's never imports Alembic, which
takes 18 MB until its end.

One JSON line goes in, with the key if there is one (never on the command line), and one comes out: nothing, or the
error that the step met, with its code, sentence and detail. The caller's mark on the replies stays the caller's.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from app.base.paths import Places
from app.store import errors
from app.store.connect import Database

_STDERR_KEPT = 2000


def migrate_apart(
    command: Sequence[str], database: Database, places: Places, known: Sequence[str], scripts: Path
) -> None:
    """Has `command` run the missing steps, and waits. Raises what `prepare` raises."""
    task = {
        "data": str(places.data),
        "logs": str(places.logs),
        "key": database.key_hex(),
        "busy_timeout_s": database.busy_timeout_s,
        "known": list(known),
        "scripts": str(scripts),
    }
    flags, group = 0, 0  # a group of its own: Ctrl-C in a terminal is for the window, a step is finished
    if sys.platform == "win32":
        flags, group = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP, None
    try:
        done = subprocess.run(
            list(command),
            input=json.dumps(task) + "\n",
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            creationflags=flags,
            process_group=group,
            check=False,
        )
    except OSError as error:
        raise _failed(f"{type(error).__name__}: {error}") from error
    try:
        answer = json.loads(done.stdout)
        code = answer["code"]
        if code is None:
            return
        sentence, detail = str(answer["sentence"]), str(answer["detail"])
    except (ValueError, TypeError, KeyError) as error:
        raise _failed(f"the process ended with {done.returncode}: {done.stderr[-_STDERR_KEPT:]}") from error
    for kind in _kinds(errors.StoreError):
        if kind.code == code:
            raise kind(sentence, detail=detail)
    raise _failed(f"{code}: {sentence} {detail}")


def _failed(detail: str) -> errors.MigrationFailed:
    return errors.MigrationFailed(
        "The conversations could not be brought up to date for this version. They are unchanged.", detail=detail
    )


def _kinds(base: type[errors.StoreError]) -> Iterator[type[errors.StoreError]]:
    yield base
    for kind in base.__subclasses__():
        yield from _kinds(kind)
