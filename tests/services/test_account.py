"""Logging in and out of the Hub."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.hub.errors import BadToken
from app.hub.token import TokenSource
from app.services.account import WORDS, Account
from app.services.changes import Change, Publisher


def _account(tmp_path: Path, changes: list[Change], **options: object) -> Account:
    publisher = Publisher()
    publisher.subscribe(changes.append)
    return Account(TokenSource(tmp_path, environ={}, **options), publisher)  # type: ignore[arg-type]


def test_in_and_out(tmp_path: Path) -> None:
    changes: list[Change] = []
    account = _account(tmp_path, changes)
    assert (account.origin, account.words) == ("none", "Not logged in")
    assert account.log_in("hf_secret", keep=False) == ""
    assert account.origin == "session"
    account.log_out()
    assert account.origin == "none"
    assert [change.origin for change in changes] == ["session", "none"]  # type: ignore[union-attr]
    assert "hf_secret" not in repr(changes)


def test_a_portable_installation_keeps_nothing(tmp_path: Path) -> None:
    account = _account(tmp_path, [], portable=True)
    assert not account.can_keep
    assert "until you quit" in account.log_in("hf_secret", keep=True)
    assert account.origin == "session"


def test_nonsense_is_refused(tmp_path: Path) -> None:
    changes: list[Change] = []
    with pytest.raises(BadToken):
        _account(tmp_path, changes).log_in("my password", keep=True)
    assert not changes


def test_every_origin_has_words() -> None:
    assert len(set(WORDS.values())) == len(WORDS) == 4
