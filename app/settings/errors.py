"""What can go wrong with settings."""

# ruff: noqa: N818 - named after what happened, which reads better at `except` than another word Error

from __future__ import annotations

from app.base.errors import InglenookError


class SettingsError(InglenookError):
    """Base of this room."""

    code = "settings"


class UnknownOption(SettingsError):
    """A name that is not declared: our fault."""

    code = "unknown_option"


class BadValue(SettingsError):
    """A value outside the declared range or of another type."""

    code = "bad_value"


class NotSaved(SettingsError):
    """The file could not be written. The change holds for this run."""

    code = "settings_not_saved"
