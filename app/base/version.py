"""The application's own version: of the installed distribution, or of the checkout it runs from."""

from __future__ import annotations

import tomllib
from importlib import metadata
from pathlib import Path


def version() -> str:
    """For example 0.1.0; '' when nobody knows."""
    try:
        declared = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text("utf-8"))
        return str(declared["project"]["version"])
    except (OSError, KeyError, tomllib.TOMLDecodeError):
        return installed_version("inglenook")


def installed_version(distribution: str) -> str:
    """The version of an installed distribution; '' when it is not installed as one."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""
