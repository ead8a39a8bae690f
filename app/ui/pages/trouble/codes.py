"""What each refusal of the store means to a person, and what can be done. Only words."""

from __future__ import annotations

WHAT: dict[str, tuple[str, str]] = {
    "database_corrupt": (
        "The conversations cannot be read",
        "Nothing was changed. The folder “backups” beside the file may hold an earlier state; "
        "close Inglenook, put it in the place of the damaged file, and start again.",
    ),
    "database_newer": (
        "These conversations belong to a newer Inglenook",
        "Nothing was changed. Install the newer version to go on with them.",
    ),
    "database_locked": (
        "Another program holds the conversations",
        "A backup, a synchronisation, or another copy of Inglenook may be busy with the file. "
        "Wait a moment and try again.",
    ),
    "disk_full": (
        "The disk is full",
        "Nothing was lost. Make some room, then try again.",
    ),
    "folder_read_only": (
        "The folder of the conversations cannot be written to",
        "Allow writing to the folder, or start Inglenook with another one: inglenook --data-dir FOLDER",
    ),
}
OPENING = frozenset([*WHAT, "database_key", "migration_failed", "store_failed"])
"""The codes that mean: there are no conversations to show."""

OTHER = ("The conversations cannot be opened", "Nothing was changed. Try again, or look into the details.")
