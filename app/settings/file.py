"""The settings file: read once, changed by name, written atomically, with everything in it that this version does
not know.

The file holds only what differs from the defaults. A file that cannot be understood is set aside, never overwritten.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from app.base.clock import now_ms
from app.settings.errors import BadValue, NotSaved, UnknownOption
from app.settings.schema import Settings
from app.settings.upgrades import upgrade

log = logging.getLogger(__name__)

Raw = dict[str, Any]


class SettingsFile:
    """`current` is always whole and valid. `trouble` says in one sentence what was wrong with the file when it was
    read."""

    def __init__(self, path: Path, *, on_change: Callable[[tuple[str, ...]], None] | None = None) -> None:
        """Reads `path`; a missing file means the defaults. `on_change` gets the dotted names of what changed."""
        self._path = path
        self._on_change = on_change
        self._lock = threading.Lock()
        self.trouble = ""
        self._raw = self._read()
        self._overrides: Raw = {}
        self._current = self._build()

    @property
    def current(self) -> Settings:
        """The settings as they hold now."""
        return self._current

    def change(self, name: str, value: object) -> None:
        """Sets one option by its dotted name and saves. Raises UnknownOption, BadValue, NotSaved (the change holds
        anyway)."""
        group, field = _names(name)
        plain = _checked(group, field, value)
        changed = False
        try:
            with self._lock:
                self._overrides.get(group, {}).pop(field, None)
                known = self._raw.get(group)
                known = known if isinstance(known, dict) else {}
                self._raw = {**self._raw, group: {**known, field: plain}}
                before, self._current = self._current, self._build()
                changed = before != self._current
                self._write()
        finally:
            if changed and self._on_change is not None:
                self._on_change((name,))

    def override(self, name: str, value: object) -> None:
        """Sets one option for this run only, for example from the command line. Raises UnknownOption, BadValue."""
        group, field = _names(name)
        plain = _checked(group, field, value)
        with self._lock:
            self._overrides.setdefault(group, {})[field] = plain
            self._current = self._build()

    @property
    def overridden(self) -> frozenset[str]:
        """Names of the options that are set for this run only."""
        with self._lock:
            return frozenset(f"{group}.{field}" for group, fields in self._overrides.items() for field in fields)

    def _read(self) -> Raw:
        try:
            text = self._path.read_bytes()
        except FileNotFoundError:
            return upgrade({})
        except OSError as error:
            self.trouble = f"The settings cannot be read ({error.strerror}); the defaults are used."
            return upgrade({})
        try:
            raw = json.loads(text)
            if not isinstance(raw, dict):
                raise ValueError("not an object")
            return upgrade(raw)
        except (ValueError, RecursionError) as error:
            log.info("settings file is damaged: %s", error)
            self._set_aside()
            return upgrade({})

    def _set_aside(self) -> None:
        aside = self._path.with_name(f"{self._path.stem}.damaged-{now_ms()}.json")
        try:
            self._path.rename(aside)
        except OSError as error:
            self.trouble = (
                f"The settings file is damaged; the defaults are used ({error.strerror} while setting it aside)."
            )
        else:
            self.trouble = f"The settings file was damaged and was set aside as {aside.name}; the defaults are used."

    def _build(self) -> Settings:
        """The settings from what was read and overridden; each value that is not allowed falls back to its default."""
        groups: dict[str, msgspec.Struct] = {}
        bad: list[str] = []
        for group in msgspec.structs.fields(Settings):
            values = self._raw.get(group.name)
            values = {**(values if isinstance(values, dict) else {}), **self._overrides.get(group.name, {})}
            good: Raw = {}
            for field in msgspec.structs.fields(group.type):
                if field.name not in values:
                    continue
                try:
                    good[field.name] = getattr(
                        msgspec.convert({field.name: values[field.name]}, group.type), field.name
                    )
                except msgspec.ValidationError:
                    bad.append(f"{group.name}.{field.name}")
            groups[group.name] = group.type(**good)
        if bad and not self.trouble:
            self.trouble = (
                f"Some settings have values that are not allowed, so their defaults are used: {', '.join(bad)}."
            )
        return Settings(**groups)  # type: ignore[arg-type] # each group is made of its own field's type

    def _write(self) -> None:
        body = json.dumps(self._raw, indent=2, ensure_ascii=False, sort_keys=True)
        # Halves of surrogate pairs (from a broken paste, or in a file's name) are read again by json.loads.
        data = body.encode("utf-8", "surrogatepass") + b"\n"
        temporary: Path | None = None
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(prefix=".settings-", dir=self._path.parent, delete=False) as file:
                temporary = Path(file.name)
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._path)
        except OSError as error:
            with contextlib.suppress(OSError):
                if temporary is not None:
                    temporary.unlink()
            raise NotSaved(
                "The settings could not be saved; the change holds until Inglenook is closed.", detail=str(error)
            ) from error


def _names(name: str) -> tuple[str, str]:
    group, _, field = name.partition(".")
    for known in msgspec.structs.fields(Settings):
        if known.name == group and field in known.type.__struct_fields__:
            return group, field
    raise UnknownOption("There is no such option.", detail=name)


def _checked(group: str, field: str, value: object) -> Any:
    """The value as JSON holds it."""
    kind = next(known.type for known in msgspec.structs.fields(Settings) if known.name == group)
    plain = msgspec.to_builtins(value)
    try:
        msgspec.convert({field: plain}, kind)
    except msgspec.ValidationError as error:
        raise BadValue(f"This value is not allowed for {group}.{field}.", detail=str(error)) from error
    return plain
