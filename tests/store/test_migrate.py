"""Schemas: the newest equals the tables, old ones open, newer ones are refused, and what a failing step leaves."""

from __future__ import annotations

import gzip
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlcipher3 import dbapi2

from app.base.doors import door
from app.base.paths import Places
from app.chat.context_view import Mark, Policy
from app.chat.messages import ReplyState
from app.store import errors, migrate
from app.store.connect import Database
from app.store.ownership import Owner
from app.store.store import Store, open_store
from app.store.tables import METADATA
from tests.store.make_fixture import ADAPTERS, DOWNLOAD, FIXTURES, LEDGER, NOTE, PLAN, made_id, model
from tests.store.making import exchange
from tests.store.test_messages import FACTS
from tests.store.test_processes import ROOT

KEY = bytes(range(32))

STEP = """
from alembic import op

revision = "9999"
down_revision = "{newest}"


def upgrade():
    op.execute("ALTER TABLE conversations ADD COLUMN colour TEXT NOT NULL DEFAULT 'ember'")
    {then}
"""


@pytest.fixture
def next_schema(tmp_path: Path) -> Callable[[str], migrate.Schema]:
    """A later version's schema, whose step ends as told."""

    def make(then: str = "") -> migrate.Schema:
        scripts = tmp_path / "migrations"
        shutil.copytree(migrate.SCHEMA.scripts, scripts)
        (scripts / "versions" / "9999_colour.py").write_text(STEP.format(then=then, newest=migrate.SCHEMA.newest))
        return migrate.Schema(known=(*migrate.SCHEMA.known, "9999"), scripts=scripts)

    return make


@pytest.fixture(params=["here", "apart"])
def command(request: pytest.FixtureRequest) -> Sequence[str] | None:
    """Where the steps run: in this process, or in one of their own."""
    return door("--migrate") if request.param == "apart" else None


@pytest.fixture
def owner(places: Places) -> Owner:
    return Owner(places.owners)


def unpack(schema: str, places: Places) -> None:
    places.data.mkdir(parents=True)
    places.database.write_bytes(gzip.decompress((FIXTURES / f"{schema}.db.gz").read_bytes()))


def colours(database: Database) -> list[str]:
    connection = database.connect()
    rows = connection.execute("SELECT colour FROM conversations").fetchall()
    connection.close()
    return [row[0] for row in rows]


def test_the_known_schemas_are_those_of_the_steps_and_each_has_a_fixture() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrate.SCHEMA.scripts))
    steps = ScriptDirectory.from_config(config)
    assert tuple(step.revision for step in steps.walk_revisions())[::-1] == migrate.SCHEMA.known
    assert steps.get_heads() == [migrate.SCHEMA.newest]
    assert sorted(path.name for path in FIXTURES.glob("*.db.gz")) == [
        f"{known}.db.gz" for known in migrate.SCHEMA.known
    ]


def test_the_tables_are_what_the_steps_make(store: Store, places: Places) -> None:
    engine = Database(places.database).engine()
    with engine.connect() as connection:
        options = {
            "compare_type": True,
            "include_object": lambda o, name, kind, *_: kind != "table" or "_search" not in name,
        }
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, METADATA) == []
        listed = connection.exec_driver_sql("SELECT name, strict FROM pragma_table_list").all()
        strict = {str(row[0]): bool(row[1]) for row in listed}
        assert all(strict[table] for table in METADATA.tables)
    engine.dispose()


def test_what_the_file_is_set_to(store: Store, places: Places) -> None:
    connection = Database(places.database).connect(read_only=True)
    settings = {
        name: connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "auto_vacuum", "secure_delete", "foreign_keys", "synchronous", "busy_timeout")
    }
    assert settings == {
        "journal_mode": "wal",
        "auto_vacuum": 2,
        "secure_delete": 1,
        "foreign_keys": 1,
        "synchronous": 1,
        "busy_timeout": 5000,
    }
    for search in ("message_search", "title_search"):
        found = connection.execute(f"SELECT v FROM {search}_config WHERE k = 'secure-delete'").fetchone()
        assert found == (1,)
    with pytest.raises(dbapi2.OperationalError, match="readonly"):
        connection.execute("DELETE FROM drafts")
    connection.close()
    assert places.database.stat().st_mode & 0o077 == 0
    assert places.data.stat().st_mode & 0o077 == 0


def test_the_path_is_read_from_the_covering_index_alone(store: Store) -> None:
    from app.store import messages

    (plan,) = store._reader.sql(f"EXPLAIN QUERY PLAN {messages._TREE.sql}", [1])
    assert "USING COVERING INDEX messages_tree" in plan[3]


@pytest.mark.parametrize("schema", migrate.SCHEMA.known)
def test_every_old_database_opens_with_everything_in_it(places: Places, schema: str) -> None:
    unpack(schema, places)
    store = open_store(places)
    assert store.schema == migrate.SCHEMA.newest
    assert {chat.id for chat in store.conversations.list()} == {made_id(1), made_id(3)}
    chat = store.conversations.get(made_id(1))
    assert chat is not None
    assert (chat.title, chat.title_by_person, chat.system_prompt) == ("Why the sky is blue", True, "Be brief.")
    assert [entry.id for entry in store.messages.path(chat.id)] == [made_id(16), made_id(18)]
    assert store.messages.siblings(made_id(18)) == [made_id(17), made_id(18)]
    assert store.messages.body(made_id(17)) == ("Answer of Why the sky is blue.", "thinking")
    facts = FACTS if schema >= "0006" else msgspec.structs.replace(FACTS, devices=(), adapters=())
    assert store.messages.get(made_id(17)).facts == facts
    assert store.recovered == [made_id(49)]
    lost = store.messages.get(made_id(49))
    assert (lost.text, lost.state) == ("Half an ans", ReplyState.LOST)
    assert [hit.message_id for hit in store.search.search("rayl")] == [made_id(18)]
    assert store.conversations.draft("new") == "a draft"
    (found,) = store.models.list()
    assert (found.id, found.name, found.fingerprint) == (made_id(4), "A", "f")
    assert found == model(places) if schema >= "0004" else found.path == str(places.models / "a.gguf")
    assert store.ledger.list() == ([LEDGER] if schema >= "0002" else [])
    assert store.downloads.list() == ([DOWNLOAD] if schema >= "0003" else [])
    newer = schema >= "0005"
    assert chat.policy is (Policy.ASK if newer else Policy.ROLLING)
    assert store.contexts.marks(chat.id) == ({made_id(16): Mark.PINNED} if newer else {})
    assert store.contexts.notes(chat.id) == ([NOTE] if newer else [])
    assert chat.adapters == (ADAPTERS if schema >= "0006" else ())
    assert store.plans.get(made_id(4)) == (PLAN if schema >= "0006" else None)
    assert store.check() == []
    assert store.conversations.purge(2**62).result() == [made_id(2)]
    store.close()


def test_a_newer_database_is_refused_and_not_touched(places: Places) -> None:
    open_store(places).close()
    connection = dbapi2.connect(str(places.database))
    connection.execute("UPDATE alembic_version SET version_num = '0999'")
    connection.commit()
    connection.close()
    before = places.database.read_bytes()
    with pytest.raises(errors.DatabaseNewer) as caught:
        open_store(places)
    assert "newer version" in caught.value.sentence
    assert places.database.read_bytes() == before
    assert not places.backups.exists()


@pytest.mark.parametrize("key", [None, KEY])
def test_a_copy_is_made_before_a_step_and_keeps_the_key(
    places: Places, next_schema: Callable[..., migrate.Schema], key: bytes | None, command: Sequence[str] | None
) -> None:
    unlock = (lambda: key) if key is not None else None
    store = open_store(places, key=unlock, migrate_command=command)
    chat, _, _ = exchange(store, "before the step")
    store.close()
    later, owner = next_schema(), Owner(places.owners)
    database = Database(places.database, key=unlock)
    assert migrate.prepare(database, places, owner, later, command=command) == "9999"
    assert colours(database) == ["ember"]
    assert migrate.prepare(database, places, owner, later) == "9999"
    owner.close()
    (copy,) = places.backups.iterdir()
    assert copy.read_bytes().startswith(b"SQLite format 3") == (key is None)
    assert copy.stat().st_mode & 0o077 == 0
    copy.rename(places.database)
    for name in ("-wal", "-shm"):
        places.database.with_name(places.database.name + name).unlink(missing_ok=True)
    store = open_store(places, key=unlock)
    assert [c.id for c in store.conversations.list()] == [chat]
    assert store.check() == []
    store.close()


def test_a_step_that_fails_changes_nothing(
    places: Places, next_schema: Callable[..., migrate.Schema], owner: Owner, command: Sequence[str] | None
) -> None:
    store = open_store(places)
    exchange(store)
    store.close()
    for number, then in enumerate(("raise RuntimeError('half way')", "op.execute('NOT SQL')")):
        scripts = next_schema(then)
        with pytest.raises(errors.StoreError) as caught:
            migrate.prepare(Database(places.database), places, owner, scripts, command=command)
        assert type(caught.value) is errors.MigrationFailed
        assert str(places.backups) in caught.value.sentence
        assert len(list(places.backups.glob("*.db"))) == number + 1
        shutil.rmtree(scripts.scripts)
    owner.close()
    store = open_store(places)
    assert len(store.conversations.list()) == 1
    assert store.check() == []
    store.close()


def test_no_step_while_another_version_is_running(
    places: Places, next_schema: Callable[..., migrate.Schema], command: Sequence[str] | None
) -> None:
    store, owner = open_store(places), Owner(places.owners)
    exchange(store)
    with pytest.raises(errors.DatabaseLocked) as caught:
        migrate.prepare(Database(places.database), places, owner, next_schema(), command=command)
    assert "another Inglenook" in caught.value.sentence
    assert len(store.conversations.list()) == 1
    store.close()
    owner.close()


def test_others_at_their_start_are_not_in_the_way(
    places: Places, next_schema: Callable[..., migrate.Schema], command: Sequence[str] | None
) -> None:
    """Two that start at the same time after an update: one takes the steps, the other waits for them."""
    open_store(places).close()
    first, second = Owner(places.owners), Owner(places.owners)
    schema = next_schema()
    assert second.others_inside() == []
    assert migrate.prepare(Database(places.database), places, first, schema, command=command) == schema.newest
    first.entered()
    assert second.others_inside() == [first.id] == second.others()
    assert migrate.prepare(Database(places.database), places, second, schema, command=command) == schema.newest
    first.close()
    second.close()


def test_only_the_last_copies_are_kept(
    places: Places, next_schema: Callable[..., migrate.Schema], owner: Owner
) -> None:
    open_store(places).close()
    places.backups.mkdir()
    for number in range(5):
        (places.backups / f"inglenook-0000-{number}.db").touch()
    migrate.prepare(Database(places.database), places, owner, next_schema())
    names = sorted(path.name for path in places.backups.iterdir())
    assert len(names) == 3
    assert names[-1].startswith(f"inglenook-{migrate.SCHEMA.newest}-")
    owner.close()


def test_a_key_encrypts_everything_and_another_key_opens_nothing(places: Places) -> None:
    store = open_store(places, key=lambda: KEY)
    chat, _, reply = exchange(store, "a secretquestion", "a secretanswer")
    for path in places.data.glob("inglenook.db*"):
        assert b"secret" not in path.read_bytes()
    assert [hit.message_id for hit in store.search.search("secretans")] == [reply]
    store.close()
    before = places.database.read_bytes()
    with pytest.raises(errors.KeyRefused):
        open_store(places, key=lambda: KEY[::-1])
    with pytest.raises(errors.DatabaseCorrupt):
        open_store(places)
    with pytest.raises(ValueError, match="32 bytes"):
        open_store(places, key=lambda: b"short")
    assert places.database.read_bytes() == before
    store = open_store(places, key=lambda: KEY)
    assert [c.id for c in store.conversations.list()] == [chat]
    store.close()


def test_opening_again_needs_no_alembic(places: Places) -> None:
    open_store(places).close()
    assert not _brings_alembic(places)


def test_nor_does_creating_it_apart(places: Places) -> None:
    assert not _brings_alembic(places, ", migrate_command=door('--migrate')")
    assert places.database.stat().st_mode & 0o077 == 0
    assert not list(places.owners.iterdir())
    assert _brings_alembic(Places(places.data / "other", places.logs))  # what is looked at is the right thing


def _brings_alembic(places: Places, more: str = "") -> bool:
    code = (
        "import sys; from pathlib import Path; from app.base.doors import door; from app.base.paths import Places;"
        "from app.store.store import open_store; data = Path(sys.argv[1]);"
        f"open_store(Places(data, data / 'logs'){more}).close(); print('alembic' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(places.data)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return {"True": True, "False": False}[done.stdout.strip()]


def test_what_a_step_apart_meets_is_told_as_the_same_error(
    places: Places, next_schema: Callable[..., migrate.Schema], owner: Owner, command: Sequence[str] | None
) -> None:
    open_store(places).close()
    holder = Database(places.database).connect()
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(errors.DatabaseLocked) as caught:
        migrate.prepare(Database(places.database, busy_timeout_s=0.1), places, owner, next_schema(), command=command)
    assert caught.value.code == "database_locked"
    assert "Another program is holding" in caught.value.sentence
    assert caught.value.detail.startswith("SQLITE_BUSY")
    holder.execute("ROLLBACK")
    holder.close()
    owner.close()


@pytest.mark.parametrize(
    "broken",
    [
        [sys.executable, "-c", "raise SystemExit('it broke')"],
        [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"],
        [sys.executable, "-c", """print('{"code": "of_tomorrow", "sentence": "it broke", "detail": ""}')"""],
        ["/nowhere/inglenook"],
    ],
)
def test_a_process_that_does_not_do_its_work_changes_nothing(places: Places, broken: list[str]) -> None:
    with pytest.raises(errors.MigrationFailed) as caught:
        open_store(places, migrate_command=broken)
    assert "unchanged" in caught.value.sentence
    assert any(word in caught.value.detail for word in ("it broke", "-9", "FileNotFoundError"))
    store = open_store(places)
    assert store.check() == []
    store.close()
