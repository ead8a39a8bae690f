"""Conversations in SQLite through SQLAlchemy: one writer thread, readers, search, migrations."""
