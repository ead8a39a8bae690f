"""The state of this installation in facts, for `inglenook doctor` and 'Copy diagnostics'.

Never a word of any message, title or prompt. In what is pasted elsewhere (`text`) the home folder is written as ~.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.base.errors import InglenookError
from app.base.paths import Places, resources
from app.base.version import VERSION
from app.engine.client import EngineClient
from app.engine.hardware import Device, Machine
from app.engine.values import EngineInfo
from app.services import device_memory
from app.services.ground import Ground
from app.services.library import Library
from app.services.workers import Workers
from app.settings.file import SettingsFile

log = logging.getLogger(__name__)

ENGINE_TIMEOUT_S = 60.0
GLANCE_S = 1.0
"""How long `text` waits for the devices' names: the engine may be in the middle of a long prompt."""


class Diagnostics:
    """`report` asks everything, and so may take a second or more; `text` starts no engine and hardly waits for it."""

    def __init__(
        self, places: Places, ground: Ground, library: Library, settings: SettingsFile, engine: EngineClient,
        workers: Workers, machine: Callable[[], Machine],
    ) -> None:  # fmt: skip
        self._places = places
        self._ground = ground
        self._library = library
        self._settings = settings
        self._engine = engine
        self._workers = workers
        self._machine = machine

    def report(self, *, thorough: bool = False) -> dict[str, Any]:
        """What `doctor --json` prints. `thorough` reads the whole database; `problems` are plain sentences."""
        problems: list[str] = []
        workers = self._settings.current.engine.workers
        return self._report(self._engine_info(problems, ENGINE_TIMEOUT_S, workers), problems, thorough=thorough)

    def _report(self, info: EngineInfo | None, more: list[str], *, thorough: bool) -> dict[str, Any]:
        problems = [trouble.sentence for trouble in self._ground.troubles]
        if self._settings.trouble and self._settings.trouble not in problems:
            problems.append(self._settings.trouble)
        problems += [device_memory.problem()] if device_memory.problem() else []
        problems += more
        machine = self._machine()
        models = self._models(problems)
        database = self._database(problems, thorough)
        return {
            "version": VERSION,
            "python": platform.python_version(),
            "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
            "llama_cpp": info.llama_cpp if info is not None else _installed("llama-cpp-python"),
            "llama_cpp_build": info.llama_cpp_build if info is not None else "",
            "devices": [_device(device, machine) for device in (info.devices if info is not None else [])],
            "machine": _computer(machine),
            "data_dir": str(self._places.data),
            "logs_dir": str(self._places.logs),
            "models": models,
            "database": database,
            "package": packaged(resources()),
            "problems": problems,
        }

    def text(self) -> str:
        """The same as lines to paste into a bug report, with the home folder shortened."""
        info = self._engine_info([], GLANCE_S) if self._engine.model is not None else None
        report = self._report(info, [], thorough=False)
        lines = [
            f"Inglenook {report['version']}",
            f"Python {report['python']} on {report['platform']}",
            f"llama-cpp-python {report['llama_cpp']} {report['llama_cpp_build']}".rstrip(),
            f"Data: {report['data_dir']}",
            f"Logs: {report['logs_dir']}",
            f"Database: {'ok' if report['database']['ok'] else 'not ok'}, schema {report['database']['schema'] or '?'}",
        ]
        lines += [f"Package: {name} {value}" for name, value in report["package"].items()]
        lines += [f"Device: {d['name']} ({d['kind']}, {d['backend']}) {d['description']}" for d in report["devices"]]
        lines.append(f"Computer: {', '.join(f'{name} {value}' for name, value in report['machine'].items())}")
        lines += [
            f"Model: {m['name']} {m['quantization']} {m['path']} {m['problem']}".rstrip() for m in report["models"]
        ]
        lines += [f"Problem: {problem}" for problem in report["problems"]]
        engine = self._settings.current.engine
        lines.append(
            f"Engine options: context {engine.n_ctx}, threads {engine.n_threads}, GPU layers {engine.n_gpu_layers}"
        )
        return shortened("\n".join(lines)) + "\n"

    def _engine_info(self, problems: list[str], timeout_s: float, workers: tuple[str, ...] = ()) -> EngineInfo | None:
        try:
            reached = self._workers.reach(workers, timeout_s)
            problems += [reached.line] if reached.line else []
            return reached.info
        except InglenookError as error:
            problems.append(error.sentence)
        except TimeoutError:
            problems.append("The engine did not answer.")
        return None

    def _models(self, problems: list[str]) -> list[dict[str, Any]]:
        if not self._library.refreshed.is_set():
            self._library.refresh()
        models = self._library.list()
        if not models:
            problems.append(f"There is no model. Put a GGUF file into {self._library.folder}.")
        for model in models:
            if model.problem:
                problems.append(f"{Path(model.path).name}: {model.problem}")
        return [
            {
                "name": model.name,
                "path": model.path,
                "architecture": model.architecture,
                "quantization": model.quantization,
                "size_bytes": model.size_bytes,
                "is_starter": model.is_starter,
                "problem": model.problem,
            }
            for model in models
        ]

    def _database(self, problems: list[str], thorough: bool) -> dict[str, Any]:
        store = self._ground.open_store
        if store is None:
            return {"ok": False, "schema": None}
        try:
            wrong = store.check() if thorough else []
        except InglenookError as error:  # another program holds it, or the disk does not answer
            problems.append(error.sentence)
            return {"ok": False, "schema": store.schema}
        if wrong:
            problems.append(
                "The database is damaged. Nothing was changed; a copy of it should be made before anything else."
            )
        return {"ok": not wrong, "schema": store.schema}


def _device(device: Device, machine: Machine) -> dict[str, Any]:
    """Of the processor here, libggml says that all memory is free; what is free is the computer's."""
    here = device.kind == "cpu" and not device.host
    return {
        "name": device.name,
        "description": device.description,
        "kind": device.kind,
        "backend": device.backend,
        "host": device.host,
        "memory_free_bytes": machine.memory_free_bytes if here else device.memory_free_bytes,
        "memory_total_bytes": machine.memory_total_bytes if here else device.memory_total_bytes,
    }


def _computer(machine: Machine) -> dict[str, Any]:
    """What a load plan goes by; `on_battery` is None where there is no battery."""
    return {
        "memory_total_bytes": machine.memory_total_bytes,
        "memory_free_bytes": machine.memory_free_bytes,
        "swap_total_bytes": machine.swap_total_bytes,
        "swap_free_bytes": machine.swap_free_bytes,
        "cores": machine.cores,
        "logical": machine.logical,
        "on_battery": machine.on_battery,
    }


def packaged(folder: Path) -> dict[str, str]:
    """What a package says of how it was made (resources/build.json); empty in a checkout."""
    try:
        found = json.loads((folder / "build.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}


def shortened(text: str) -> str:
    """`text` with the home folder as ~, on every platform's way of writing it."""
    home = str(Path.home())
    if len(home) <= 1 or home == os.sep:
        return text
    text = text.replace(home, "~")
    return text.replace(home.replace("\\", "/"), "~") if sys.platform == "win32" else text


def _installed(distribution: str) -> str:
    """The version of an installed distribution; '' when it is not installed as one."""
    from importlib import metadata  # 20 ms that only a report needs

    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""
