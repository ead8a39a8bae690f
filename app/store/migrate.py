"""Which schema a database file has, and bringing it to the one of this version.

The version is read with one plain SELECT before anything else happens to the file; Alembic (0.3 s, 18 MB) is imported
only when a step must run, and by a process of its own where the caller has a command for one (apart.py). A file that is
damaged, not ours or from a newer version is not written. Before a step runs on a file that holds something, a copy goes
to the backups folder, encrypted as the original is.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from app.base.clock import now_ms
from app.base.errors import InglenookError
from app.base.paths import Places
from app.store import apart, errors
from app.store.connect import Database, DriverConnection, DriverError
from app.store.ownership import Owner

log = logging.getLogger(__name__)

_BACKUPS_KEPT = 3


@dataclass(frozen=True)
class Schema:
    """The schemas this version knows, oldest first, and the folder with Alembic's steps between them."""

    known: tuple[str, ...]
    scripts: Path

    @property
    def newest(self) -> str:
        """The schema this version works with."""
        return self.known[-1]


SCHEMA = Schema(known=("0001", "0002", "0003", "0004", "0005", "0006"), scripts=Path(__file__).parent / "migrations")


def prepare(
    database: Database,
    places: Places,
    owner: Owner,
    schema: Schema = SCHEMA,
    *,
    command: Sequence[str] | None = None,
) -> str:
    """Makes the file ready for use: creates it, brings it up to date, or leaves it as it is. Returns its schema.

    `command` starts the process that runs the steps; without one they run here.

    Raises DatabaseNewer, DatabaseCorrupt, DatabaseLocked, DiskFull, FolderReadOnly, KeyRefused or MigrationFailed.
    """
    try:
        _create_private(database.path)
        found = _read_schema(database, schema)
        if found != schema.newest and command is not None:
            apart.migrate_apart(command, database, places, schema.known, schema.scripts)
        elif found != schema.newest:
            _migrate(database, places, owner, schema)
        return schema.newest
    except exc.DBAPIError as error:
        raise errors.from_sqlite(error.orig or error, database.path, keyed=database.keyed) from error
    except DriverError as error:
        raise errors.from_sqlite(error, database.path, keyed=database.keyed) from error
    except OSError as error:
        raise errors.from_os_error(error, database.path) from error


def _create_private(path: Path) -> None:
    """An empty file only this account may read. SQLite takes an empty file for an empty database."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        pass


def _read_schema(database: Database, schema: Schema) -> str | None:
    """The file's schema, None when it is empty. Also sees to the journal mode of a file that is ours."""
    connection = database.connect()
    try:
        found = _revision(database, connection, schema)
        if found is not None:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()  # a restored backup may have another
        return found
    finally:
        connection.close()


def _revision(database: Database, connection: DriverConnection, schema: Schema) -> str | None:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()}
    if not tables:
        return None
    rows = (
        connection.execute("SELECT version_num FROM alembic_version").fetchall() if "alembic_version" in tables else []
    )
    if len(rows) != 1 or not {"conversations", "messages"} <= tables:
        raise errors.DatabaseCorrupt(
            f"The database {database.path} is damaged or is not Inglenook's. It was left as it is; restore it from a "
            "backup, or move it away to start with an empty one.",
            detail=f"{len(tables)} tables, revisions {rows}",
        )
    (found,) = rows[0]
    if found not in schema.known:
        raise errors.DatabaseNewer(
            "These conversations were saved by a newer version of Inglenook. Update this one to open them; nothing was "
            "changed.",
            detail=f"schema {found}, known up to {schema.newest}",
        )
    return str(found)


def _migrate(database: Database, places: Places, owner: Owner, schema: Schema) -> None:
    """Runs the missing steps in one transaction, under the database's write lock."""
    _set_up_file(database)
    engine = database.engine()
    backup: Path | None = None
    try:
        with engine.begin() as connection:  # waits here for another process that is doing the same
            driver: Any = connection.connection.driver_connection
            found = _revision(database, driver, schema)
            if found == schema.newest:
                return
            if found is not None:
                if owner.others_inside():
                    raise errors.DatabaseLocked(
                        "The conversations must be brought up to date, and another Inglenook is still using them. "
                        "Close it and try again; nothing was changed."
                    )
                backup = _back_up(database, places, found)
            _run_steps(connection, schema)
    except (InglenookError, OSError):
        raise
    except Exception as error:  # a step may fail with anything; its transaction was rolled back
        origin = error.orig if isinstance(error, exc.DBAPIError) else error
        if isinstance(origin, DriverError):
            outside = errors.from_sqlite(origin, database.path, keyed=database.keyed)
            if type(outside) is not errors.StoreError:
                raise outside from error
        raise errors.MigrationFailed(
            "The conversations could not be brought up to date for this version. They are unchanged"
            + (f", and a copy is in {backup}." if backup else "."),
            detail=f"{type(error).__name__}: {error}",
        ) from error
    finally:
        engine.dispose()


def _set_up_file(database: Database) -> None:
    """Properties of the file that must be chosen while it is empty; without effect later."""
    connection = database.connect()
    try:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
    finally:
        connection.close()


def _run_steps(connection: sa.Connection, schema: Schema) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(schema.scripts).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _back_up(database: Database, places: Places, revision: str) -> Path:
    """A copy of the database as it was last committed, made while the caller holds the write lock."""
    places.backups.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = places.backups / f"{database.path.stem}-{revision}-{now_ms()}.db"
    unready = path.with_suffix(".new")
    source = database.connect(read_only=True)
    try:
        _create_private(unready)
        target = database.connect(path=unready)
        try:
            source.backup(target)
        finally:
            target.close()
        unready.replace(path)
    finally:
        source.close()
        unready.unlink(missing_ok=True)
    for old in sorted(places.backups.glob("*.db"))[:-_BACKUPS_KEPT]:
        old.unlink(missing_ok=True)
    log.info("copied the database of schema %s before changing it", revision)
    return path


def remove_backups(places: Places) -> None:
    """Removes the copies: they still hold what a person deleted."""
    for path in places.backups.glob("*.db"):
        path.unlink(missing_ok=True)
