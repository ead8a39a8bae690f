"""The application's version. The build reads it from here too."""

from __future__ import annotations

VERSION = "0.1.0"
