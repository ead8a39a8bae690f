"""Where things lie: the person's data, and what the application carries with it.

Order of precedence for the data folder: `--data-dir`, then INGLENOOK_HOME, then a file `portable` beside the
executable, then the platform's own convention (platformdirs).
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import platformdirs

HOME_VARIABLE = "INGLENOOK_HOME"


@dataclass(frozen=True)
class Places:
    """Every folder and file the application keeps state in. All lie below `data`, except `logs` on some platforms.

    `portable`: it travels with its folder, and leaves nothing in the system (no keyring).
    """

    data: Path
    logs: Path
    portable: bool = False

    @property
    def database(self) -> Path:
        """The SQLite file with all conversations."""
        return self.data / "inglenook.db"

    @property
    def settings(self) -> Path:
        """What the person chose."""
        return self.data / "settings.json"

    @property
    def window_state(self) -> Path:
        """Geometry of the window and other things nobody chose on purpose."""
        return self.data / "window.json"

    @property
    def models(self) -> Path:
        """The person's own GGUF files."""
        return self.data / "models"

    @property
    def snapshots(self) -> Path:
        """What the engine remembers of conversations, so that it need not read them again. Can be thrown away."""
        return self.data / "snapshots"

    @property
    def owners(self) -> Path:
        """One locked file per running process that writes replies."""
        return self.data / "owners"

    @property
    def backups(self) -> Path:
        """Copies of the database from before a migration."""
        return self.data / "backups"


def find_places(data_dir: str | os.PathLike[str] | None = None) -> Places:
    """The places for this run; nothing is created. `data_dir` is the value of `--data-dir`; '' is as if not given."""
    chosen = os.fspath(data_dir or "") or os.environ.get(HOME_VARIABLE, "")
    if chosen:
        try:
            root = Path(chosen).expanduser().resolve()
        except RuntimeError:  # nobody's home folder, or links in a circle: whoever opens it says so
            root = Path(chosen).absolute()
        return Places(root, root / "logs")
    beside = Path(sys.executable).resolve().parent
    if getattr(sys, "frozen", False) and (beside / "portable").exists():
        return Places(beside / "data", beside / "data" / "logs", portable=True)
    return Places(
        Path(platformdirs.user_data_dir("inglenook", appauthor=False)),
        Path(platformdirs.user_log_dir("inglenook", appauthor=False)),
    )


def resources() -> Path:
    """The read-only folder `resources/`: beside a frozen executable, in a checkout, or installed as data."""
    frozen = getattr(sys, "_MEIPASS", None)
    if frozen:
        return Path(frozen) / "resources"
    checkout = Path(__file__).resolve().parents[2] / "resources"
    if checkout.is_dir():
        return checkout
    return Path(sys.prefix) / "share" / "inglenook" / "resources"
