"""What the window remembers from one start to the next, in window.json: nothing a person chose on purpose."""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta
from PySide6.QtCore import QByteArray
from PySide6.QtWidgets import QWidget

log = logging.getLogger(__name__)


class WindowState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`geometry` is Qt's own format in base64; `conversation_id` is what was open; `bytes_per_s` is how fast downloads
    came last, 0 where none was seen."""

    geometry: str = ""
    sidebar: bool = True
    panel: bool = False
    conversation_id: str = ""
    bytes_per_s: Annotated[float, Meta(ge=0)] = 0.0


def read(path: Path) -> WindowState:
    """The state of the last time; a missing or damaged file is as good as none."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=WindowState)
    except FileNotFoundError:
        return WindowState()
    except (OSError, msgspec.DecodeError) as error:
        log.info("the state of the window is not used: %s", error)
        return WindowState()


def write(path: Path, state: WindowState) -> None:
    """Keeps the state, atomically. Where it cannot be kept, the next start begins afresh; that is no error."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(msgspec.json.encode(state))
        temporary.replace(path)
    except OSError as error:
        log.info("the state of the window was not kept: %s", error)
        with contextlib.suppress(OSError):
            temporary.unlink()


def state_of(window: QWidget, sidebar: bool, panel: bool, conversation_id: str, bytes_per_s: float) -> WindowState:
    """What to remember of a window."""
    geometry = bytes(window.saveGeometry().toBase64().data()).decode()
    return WindowState(
        geometry=geometry,
        sidebar=sidebar,
        panel=panel,
        conversation_id=conversation_id,
        bytes_per_s=round(bytes_per_s),
    )


def restore(window: QWidget, state: WindowState) -> bool:
    """Puts a window where it was, as far as the screens of today allow; False if nothing is known."""
    return bool(state.geometry) and window.restoreGeometry(QByteArray.fromBase64(state.geometry.encode()))
