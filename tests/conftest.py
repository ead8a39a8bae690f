"""What holds for every test: no screen, no outside network, state in a temporary folder, a silent log.

A WARNING in the log fails the test unless the test expects it: `expected_warnings.append("part of the message")`.
"""

from __future__ import annotations

import gc
import logging
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.pop("INGLENOOK_HOME", None)
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # hundreds of children need not compile the same files each

STARTER = Path(__file__).resolve().parent.parent / "resources" / "models" / "SmolLM2-135M-Instruct.Q4_1.gguf"
LOOPBACK = ("127.", "::1", "localhost")

MOST_WORKERS = 4  # every worker has engines, windows and a screen of its own

settings.register_profile("beside others", deadline=None)  # how long an example takes depends on who else computes
settings.load_profile("beside others")

_refused: list[str] = []


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """The whole suite runs on all cores and one more, as a third of the time is waiting; a part in this process."""
    whole = config.args_source is config.ArgsSource.TESTPATHS
    return min((os.cpu_count() or 1) + 1, MOST_WORKERS) if whole else 0


def _refuse_outside(event: str, arguments: tuple[object, ...]) -> None:
    """Audit hook: a connection or a name look-up that would leave this machine is refused and remembered."""
    if event == "socket.connect":
        address = arguments[1]
        host = str(address[0]) if isinstance(address, tuple) else ""
    elif event == "socket.getaddrinfo":
        host = str(arguments[0] or "")
    else:
        return
    if host and not host.startswith(LOOPBACK):
        _refused.append(f"{event} {host}")
        raise ConnectionRefusedError(f"a test tried to reach {host}")


sys.addaudithook(_refuse_outside)


def pytest_collection_finish() -> None:
    """What the modules of all tests hold lives to the end: looking it through after every test would take minutes."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _no_outside_network() -> Iterator[None]:
    _refused.clear()
    yield
    assert not _refused, f"tried to leave this machine: {_refused}"
    assert socket.getdefaulttimeout() is None


@pytest.fixture(autouse=True)
def _own_places(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every path of the application lies in the test's own folder, for child processes too."""
    monkeypatch.setenv("INGLENOOK_HOME", str(tmp_path / "home"))
    person = tmp_path_factory.mktemp("person")  # other programs' models are looked for there
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(person))
    for name in ("OLLAMA_MODELS", "HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))


class _Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.levelname} {record.name}: {record.getMessage()}")


@pytest.fixture
def expected_warnings() -> list[str]:
    """Parts of log messages of level WARNING and above that this test provokes on purpose."""
    return []


@pytest.fixture(autouse=True)
def _silent_log(expected_warnings: list[str]) -> Iterator[None]:
    collector = _Collector()
    logging.getLogger().addHandler(collector)
    yield
    logging.getLogger().removeHandler(collector)
    loud = [line for line in collector.lines if not any(part in line for part in expected_warnings)]
    assert not loud, "unexpected log lines:\n" + "\n".join(loud)


@pytest.fixture(scope="session")
def starter_model() -> Path:
    """The real starter model, put there by the set-up."""
    assert STARTER.is_file(), "the starter model is missing: run `make test`, which gets it"
    return STARTER


@pytest.fixture(autouse=True)
def _collect_now_and_then() -> Iterator[None]:
    """Qt objects die where they are dropped, not in a later test's thread."""
    yield
    if "PySide6" in sys.modules:
        gc.collect()
