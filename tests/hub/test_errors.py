"""What a refusal of the Hub is called, and what its headers may say."""

from __future__ import annotations

import pytest

from app.hub import errors
from app.hub.errors import HubError, from_answer, wait_s

GATED = {"x-error-code": "GatedRepo"}
NOT_LISTED = "Access to model a/b is restricted and you are not in the authorized list."
AWAITING = "Your request to access model a/b is awaiting a review from the repo authors."
REJECTED = "Your request to access model a/b has been rejected by the repo's authors."


def _gated(message: str) -> dict[str, str]:
    return GATED | {"x-error-message": message}


@pytest.mark.parametrize(
    ("status", "headers", "with_token", "kind", "words"),
    [
        (401, GATED, False, errors.LogIn, "Log in"),
        (403, _gated(NOT_LISTED), True, errors.AskForAccess, "ask for access"),
        (403, _gated(AWAITING), True, errors.AccessWaiting, "not answered yet"),
        (403, _gated(REJECTED), True, errors.AccessDenied, "said no"),
        (403, GATED, True, errors.AskForAccess, "ask for access"),
        (401, {"x-error-code": "RepoNotFound"}, False, errors.NotFound, "log in"),
        (404, {"x-error-code": "RepoNotFound"}, True, errors.NotFound, "not yours"),
        (401, {}, True, errors.TokenRefused, "access token"),
        (401, {}, False, errors.NotFound, "private"),
        (404, {"x-error-code": "RevisionNotFound"}, False, errors.NotFound, "version"),
        (404, {"x-error-code": "EntryNotFound"}, False, errors.NotFound, "file"),
        (404, {}, False, errors.NotFound, "a/b"),
        (403, {"x-error-message": "Access to this resource is disabled."}, False, errors.AccessDenied, "shut"),
        (403, {}, True, errors.AccessDenied, "may not be read"),
        (451, {}, False, errors.AccessDenied, "may not be read"),
        (429, {"ratelimit": '"api";r=0;t=55'}, False, errors.RateLimited, "in 55 seconds. With an access token"),
        (429, {"retry-after": "1"}, True, errors.RateLimited, "in a second."),
        (429, {"retry-after": "290"}, True, errors.RateLimited, "in 5 minutes."),
        (429, {}, True, errors.RateLimited, "in a few minutes"),
        (407, {}, True, errors.ProxyLogin, "wants a name and a password"),
        (500, {}, False, errors.ServerTrouble, "few minutes"),
        (503, {"retry-after": "9"}, False, errors.ServerTrouble, "few minutes"),
        (418, {}, False, errors.NotUnderstood, "does not understand"),
        (204, {}, False, errors.NotUnderstood, "does not understand"),
    ],
)  # fmt: skip
def test_each_refusal_has_its_sentence(
    status: int, headers: dict[str, str], with_token: bool, kind: type[HubError], words: str
) -> None:
    error = from_answer(status, headers, repo="a/b", page="https://huggingface.co/a/b", with_token=with_token)
    assert type(error) is kind
    assert words in error.sentence
    assert str(status) in error.detail
    assert error.sentence.endswith(".")


@pytest.mark.parametrize(
    ("status", "headers", "kind", "words"),
    [
        (401, GATED, errors.TokenKeptBack, "want to know who uses it"),
        (403, GATED, errors.TokenKeptBack, "want to know who uses it"),
        (401, {}, errors.TokenKeptBack, "a/b needs a login"),
        (401, {"x-error-code": "RepoNotFound"}, errors.NotFound, "not there, or it is private"),
        (404, {}, errors.NotFound, "a/b"),
        (429, {}, errors.RateLimited, "Try again in a few minutes."),
    ],
)
def test_a_token_that_was_kept_back(status: int, headers: dict[str, str], kind: type[HubError], words: str) -> None:
    error = from_answer(status, headers, repo="a/b", kept_from="mirror.example")
    assert type(error) is kind
    assert words in error.sentence
    assert ("mirror.example" in error.sentence) is (status in (401, 403))
    assert "With an access token" not in error.sentence


def test_codes_are_stable_and_different() -> None:
    kinds = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, HubError)]
    assert len({kind.code for kind in kinds}) == len(kinds)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, 0),
        ({"retry-after": "-5"}, 0),
        ({"retry-after": "9" * 5000}, 86400),
        ({"retry-after": "\u0663"}, 0),
        ({"ratelimit": '"api";r=0;t=12'}, 12),
        ({"ratelimit": '"api";r=3;t=12'}, 0),
        ({"ratelimit": '"api";r=0;t=' + "9" * 5000}, 86400),
        ({"ratelimit": "garbage"}, 0),
        ({}, 0),
    ],
)
def test_waiting_is_bounded(headers: dict[str, str], seconds: int) -> None:
    assert wait_s(headers) == seconds
