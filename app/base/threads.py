"""Starting a thread, where the system may have none left to give. Nothing here knows what runs on it."""

from __future__ import annotations

import threading

from app.base.errors import InglenookError


class NoRoom(InglenookError):  # noqa: N818 - named after what happened, which reads better at `except`
    """The system gives no further thread: memory is short, or the account's limits are."""

    code = "no_room"


def start_thread(thread: threading.Thread) -> None:
    """Starts it. Raises NoRoom."""
    try:
        thread.start()
    except RuntimeError as error:
        raise NoRoom(
            "The system has no memory left for Inglenook to work with. Close other programs and try again.",
            detail=str(error),
        ) from error
