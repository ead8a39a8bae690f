"""The access token: where it comes from, where it is kept, and where it never shows."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from app.hub.errors import BadToken, TokenNotKept
from app.hub.token import MARKER, SERVICE, VARIABLE, Origin, TokenSource

TOKEN = "hf_abcDEF123"


class Ring:
    """A keyring in memory. `broken`: whatever it is asked fails, with the secret in its message."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.asked = 0
        self.broken = False

    def _ask(self) -> None:
        self.asked += 1
        if self.broken:
            raise RuntimeError(f"locked {TOKEN}")

    def get_password(self, service: str, username: str) -> str | None:
        self._ask()
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._ask()
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._ask()
        del self.kept[service, username]


@pytest.fixture
def ring() -> Ring:
    return Ring()


def test_the_environment_comes_first(tmp_path: Path, ring: Ring) -> None:
    source = TokenSource(tmp_path, environ={VARIABLE: f" {TOKEN}\n"}, ring=ring)
    source.enter("hf_other", keep=False)
    assert (source.token(), source.origin) == (TOKEN, Origin.ENVIRONMENT)
    assert ring.asked == 0


def test_nobody_who_keeps_none_is_asked(tmp_path: Path, ring: Ring) -> None:
    source = TokenSource(tmp_path, environ={}, ring=ring)
    assert (source.token(), source.origin) == ("", Origin.NONE)
    assert ring.asked == 0


def test_for_this_session_only(tmp_path: Path, ring: Ring) -> None:
    source = TokenSource(tmp_path, environ={}, ring=ring)
    assert source.enter(f"  {TOKEN} ", keep=False) is Origin.SESSION
    assert source.token() == TOKEN
    assert TokenSource(tmp_path, environ={}, ring=ring).token() == ""
    assert ring.asked == 0
    assert not list(tmp_path.iterdir())


def test_kept_in_the_keyring_and_forgotten(tmp_path: Path, ring: Ring) -> None:
    source = TokenSource(tmp_path, environ={}, ring=ring)
    assert source.enter(TOKEN, keep=True) is Origin.KEYRING
    assert ring.kept == {(SERVICE, VARIABLE): TOKEN}
    assert (tmp_path / MARKER).read_bytes() == b""
    later = TokenSource(tmp_path, environ={}, ring=ring)
    assert (later.token(), later.origin) == (TOKEN, Origin.KEYRING)
    asked = ring.asked
    assert later.token() == TOKEN
    assert ring.asked == asked
    later.forget()
    assert later.token() == ""
    assert not ring.kept
    assert not (tmp_path / MARKER).exists()


def test_a_token_for_the_session_takes_the_place_of_a_kept_one(tmp_path: Path, ring: Ring) -> None:
    TokenSource(tmp_path, environ={}, ring=ring).enter("hf_old", keep=True)
    source = TokenSource(tmp_path, environ={}, ring=ring)
    source.enter(TOKEN, keep=False)
    assert source.token() == TOKEN
    assert not ring.kept


def test_portable_never_touches_the_keyring(tmp_path: Path, ring: Ring) -> None:
    (tmp_path / MARKER).touch()
    source = TokenSource(tmp_path, portable=True, environ={}, ring=ring)
    assert source.token() == ""
    with pytest.raises(TokenNotKept):
        source.enter(TOKEN, keep=True)
    assert (source.token(), source.origin) == (TOKEN, Origin.SESSION)
    source.forget()
    assert source.token() == ""
    assert ring.asked == 0


def test_a_keyring_that_fails_costs_nothing_but_the_keeping(
    tmp_path: Path, ring: Ring, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    source = TokenSource(tmp_path, environ={}, ring=ring)
    ring.broken = True
    with pytest.raises(TokenNotKept) as caught:
        source.enter(TOKEN, keep=True)
    assert source.token() == TOKEN
    assert TOKEN not in f"{caught.value} {caught.value.detail} {caught.value.__cause__}"
    ring.broken = False
    source.enter(TOKEN, keep=True)
    ring.broken = True
    later = TokenSource(tmp_path, environ={}, ring=ring)
    assert later.token() == ""
    later.forget()
    assert TOKEN not in caplog.text


@pytest.mark.parametrize("given", ["", "  ", "hf_a b", "hf_a\nX-Evil: 1", "hf_\u00e9", "hf_" + "x" * 600, "\0"])
def test_what_cannot_be_a_token(tmp_path: Path, given: str) -> None:
    source = TokenSource(tmp_path, environ={VARIABLE: given})
    assert source.token() == ""
    with pytest.raises(BadToken):
        source.enter(given, keep=False)


def test_it_shows_nowhere(tmp_path: Path) -> None:
    source = TokenSource(tmp_path, environ={VARIABLE: TOKEN})
    assert TOKEN not in repr(source)
    assert TOKEN not in str(source)
