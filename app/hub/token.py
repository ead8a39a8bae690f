"""The access token of the person's account on the Hub: where it comes from, and where it is kept.

HF_TOKEN comes first, then what was entered in this session, then the system's keyring (never for a portable
installation). It is never written to a file or a log, and never part of a message or a repr. A marker file, empty,
remembers that the keyring has one, so that nobody who keeps none is asked to unlock it. Calls may block while the
system asks the person.
"""

from __future__ import annotations

import contextlib
import enum
import logging
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from app.hub.errors import BadToken, TokenNotKept

log = logging.getLogger(__name__)

VARIABLE = "HF_TOKEN"
SERVICE = "Inglenook"
MARKER = "token-in-keyring"
MAX_TOKEN = 500


class Origin(enum.StrEnum):
    """Where the token comes from."""

    NONE = "none"
    ENVIRONMENT = "environment"
    KEYRING = "keyring"
    SESSION = "session"


class Ring(Protocol):
    """The part of the `keyring` package that is used."""

    def get_password(self, service: str, username: str) -> str | None: ...
    def set_password(self, service: str, username: str, password: str) -> None: ...
    def delete_password(self, service: str, username: str) -> None: ...


class TokenSource:
    """Thread-safe. `data` is the person's folder (for the marker); `portable` leaves the keyring alone."""

    def __init__(
        self, data: Path, *, portable: bool = False, environ: Mapping[str, str] = os.environ, ring: Ring | None = None
    ) -> None:
        self._marker = data / MARKER
        self.portable = portable
        self._environ = environ
        self._ring = ring
        self._lock = threading.Lock()
        self._session = ""
        self._kept: str | None = None  # None: the keyring was not asked yet

    def __repr__(self) -> str:
        return "TokenSource()"

    def token(self) -> str:
        """The token to send, or ''."""
        return self._find()[0]

    @property
    def origin(self) -> Origin:
        """Where `token` comes from."""
        return self._find()[1]

    def enter(self, token: str, *, keep: bool) -> Origin:
        """Takes a new token for this session, and for later ones if `keep`. Raises BadToken; TokenNotKept when the
        keyring refuses: the token holds for this session all the same."""
        token = checked(token)
        with self._lock:
            self._session, self._kept = token, ""
            if not keep:
                self._forget_kept()
                return Origin.SESSION
            ring = self._keyring()
            if ring is None:
                raise TokenNotKept("This system has no keyring that Inglenook can use. The token holds until you quit.")
            try:
                ring.set_password(SERVICE, VARIABLE, token)
                self._marker.parent.mkdir(parents=True, exist_ok=True)
                self._marker.touch()
            except Exception as error:  # noqa: BLE001 - a keyring is another program's edge, with errors of its own
                raise TokenNotKept(
                    "The system's keyring did not take the token. It holds until you quit.", detail=_kind(error)
                ) from None
            self._session, self._kept = "", token
            return Origin.KEYRING

    def forget(self) -> None:
        """Nothing is known any more; what the environment says stays. A keyring that fails is logged, by kind only."""
        with self._lock:
            self._session, self._kept = "", ""
            self._forget_kept()

    def _find(self) -> tuple[str, Origin]:
        with contextlib.suppress(BadToken):
            if given := self._environ.get(VARIABLE, "").strip():
                return checked(given), Origin.ENVIRONMENT
        with self._lock:
            if self._session:
                return self._session, Origin.SESSION
            if self._kept is None:
                self._kept = self._read()
            return (self._kept, Origin.KEYRING) if self._kept else ("", Origin.NONE)

    def _read(self) -> str:
        if self.portable or not self._marker.exists():
            return ""
        ring = self._keyring()
        if ring is None:
            return ""
        try:
            return checked(ring.get_password(SERVICE, VARIABLE) or "")
        except BadToken:
            return ""
        except Exception as error:  # noqa: BLE001 - a keyring's own errors; without one it is no token
            log.info("the keyring did not give the token: %s", _kind(error))
            return ""

    def _forget_kept(self) -> None:
        if self.portable or not self._marker.exists():
            return
        ring = self._keyring()
        try:
            if ring is not None:
                ring.delete_password(SERVICE, VARIABLE)
            self._marker.unlink(missing_ok=True)
        except Exception as error:  # noqa: BLE001 - a keyring's own errors; the session forgot it anyway
            log.info("the keyring did not forget the token: %s", _kind(error))

    def _keyring(self) -> Ring | None:
        if self.portable:
            return None
        if self._ring is None:
            try:
                import keyring
            except ImportError:
                return None
            self._ring = keyring
        return self._ring


def checked(token: str) -> str:
    """A token as it may stand in a header. Raises BadToken."""
    token = token.strip()
    if not token or len(token) > MAX_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise BadToken("This is not an access token. It begins with “hf_” and has no spaces.")
    return token


def _kind(error: Exception) -> str:
    """Never the message: nobody knows what a keyring writes into it."""
    return type(error).__name__
