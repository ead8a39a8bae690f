"""What can go wrong on the Hub, in words for the person: whose fault it is and what to do next.

`from_answer` makes one of a refused answer's status and headers (X-Error-Code, RateLimit), as huggingface_hub reads
them in `hf_raise_for_status`. The body of a refusal is never needed.
"""

# ruff: noqa: N818 - named after what happened, which reads better at `except` than another word Error

from __future__ import annotations

import re
from collections.abc import Mapping

from app.base.errors import InglenookError

MAX_WAIT_S = 24 * 3600

_RATE_LIMIT = re.compile(r"r\s*=\s*(\d{1,9})\s*;\s*t\s*=\s*(\d{1,9})", re.ASCII)


class HubError(InglenookError):
    """Base of this room. `page` is a web address where the person can do something about it, or ''."""

    code = "hub"

    def __init__(self, sentence: str, *, detail: str = "", page: str = "") -> None:
        super().__init__(sentence, detail=detail)
        self.page = page


class LogIn(HubError):
    """Only people who are known to the Hub may see this: an access token is needed."""

    code = "log_in"


class TokenRefused(HubError):
    """A token was sent, and the Hub does not know it (any more)."""

    code = "token_refused"


class TokenKeptBack(HubError):
    """A token is there and is needed, but who was asked is not the Hub itself and was not named for it."""

    code = "token_kept_back"


class AskForAccess(HubError):
    """The makers let in those who accept their terms on the model's page."""

    code = "ask_for_access"


class AccessWaiting(HubError):
    """The person asked, and the makers have not answered yet."""

    code = "access_waiting"


class AccessDenied(HubError):
    """The makers said no, or the Hub has shut the repository."""

    code = "access_denied"


class NotFound(HubError):
    """There is no such repository, revision or file; or it is private, which the Hub does not tell apart."""

    code = "not_on_hub"


class RateLimited(HubError):
    """Too many requests. `seconds` until there may be more; 0 when the Hub does not say."""

    code = "rate_limited"

    def __init__(self, sentence: str, *, detail: str = "", page: str = "", seconds: int = 0) -> None:
        super().__init__(sentence, detail=detail, page=page)
        self.seconds = seconds


class ProxyLogin(HubError):
    """The proxy in between answered itself: it wants to know who asks."""

    code = "proxy_login"


class ServerTrouble(HubError):
    """The Hub itself has a problem: nobody's fault here, and it passes."""

    code = "hub_trouble"


class NotUnderstood(HubError):
    """An answer that is no answer to what was asked: another server in between, or a Hub that changed."""

    code = "hub_not_understood"


class TokenNotKept(HubError):
    """The system's keyring cannot be used; the token holds for this session."""

    code = "token_not_kept"


class BadToken(HubError):
    """What was given cannot be an access token."""

    code = "bad_token"


def from_answer(
    status: int,
    headers: Mapping[str, str],
    *,
    repo: str = "",
    page: str = "",
    with_token: bool = False,
    kept_from: str = "",
) -> HubError:
    """The error behind an answer that is not 2xx. `repo` and `page` (its web address) are named where they help;
    `with_token`: whether a token was sent along; `kept_from`: the host that was asked and did not get the one that is
    there."""
    code = headers.get("x-error-code", "")
    message = headers.get("x-error-message", "")
    what = repo or "This"
    detail = f"HTTP {status} {code[:60]}".strip()
    if kept_from and (code == "GatedRepo" or status == 401):
        return _kept_back(code, what, kept_from, detail, page)
    if code == "GatedRepo":
        return _gated(status, message.lower(), what, detail, page, with_token)
    if code == "RevisionNotFound":
        return NotFound(f"{what} has no such version.", detail=detail, page=page)
    if code == "EntryNotFound":
        return NotFound(f"{what} has no such file any more.", detail=detail, page=page)
    if status == 429:
        return _rate_limited(headers, detail, with_token or bool(kept_from))
    if status == 401 and with_token and code != "RepoNotFound":
        return TokenRefused(
            "Hugging Face does not accept your access token. It may have ended or been withdrawn; enter a new one.",
            detail=detail,
            page="https://huggingface.co/settings/tokens",
        )
    if status == 407:
        return ProxyLogin(
            "The proxy of this network wants a name and a password. Give them in the settings under Network, as "
            "http://name:password@proxy.example:8080.",
            detail=detail,
        )
    if status in (401, 404) or code == "RepoNotFound":
        return _hidden(status, what, detail, page, with_token)
    if status in (403, 451):
        # The one case that the Hub marks by words alone, always the same ones (hf_raise_for_status).
        if message == "Access to this resource is disabled.":
            return AccessDenied(f"{what} was shut by Hugging Face.", detail=detail, page=page)
        return AccessDenied(f"{what} may not be read with what Hugging Face knows of you.", detail=detail, page=page)
    if status >= 500 or status == 408:
        return ServerTrouble("Hugging Face has trouble right now. Try again in a few minutes.", detail=detail)
    return NotUnderstood("Hugging Face answered something that Inglenook does not understand.", detail=detail)


def token_hint(host: str) -> str:
    """Why an access token was not sent to a host, and where that is changed."""
    return (
        f"Your access token is only sent to huggingface.co. If {host} is to get it too, name it in the settings under "
        "Network, “Hosts that get the access token” (network.token_hosts)."
    )


def broken_answer(detail: str) -> NotUnderstood:
    """An answer that contradicts itself or the protocol."""
    return NotUnderstood(
        "The server's answer is broken. Try again later, or look at what is in between.", detail=detail
    )


def not_understood(detail: str) -> NotUnderstood:
    """An answer of 200 whose content is not what was asked for."""
    return NotUnderstood(
        "The answer is not one of Hugging Face. Perhaps a sign-in page of this network is in between.", detail=detail
    )


def wait_s(headers: Mapping[str, str]) -> int:
    """How long the server asks to wait: Retry-After, else the RateLimit header when nothing remains, else 0."""
    after = headers.get("retry-after", "").strip()
    if after.isascii() and after.isdigit():
        return min(int(after[:9]), MAX_WAIT_S)
    limit = _RATE_LIMIT.search(headers.get("ratelimit", "")[:500])
    return min(int(limit[2]), MAX_WAIT_S) if limit and int(limit[1]) == 0 else 0


def _gated(status: int, message: str, what: str, detail: str, page: str, with_token: bool) -> HubError:
    if status == 401 or not with_token:
        return LogIn(
            f"The makers of {what} want to know who uses it. Log in with an access token, then accept their terms on "
            "the model's page.",
            detail=detail,
            page=page,
        )
    # The Hub tells these three apart by its message only; without a known word the first one is right to try.
    if "awaiting" in message or "pending" in message:
        return AccessWaiting(f"You have asked for {what}. Its makers have not answered yet.", detail=detail, page=page)
    if "rejected" in message or "denied" in message:
        return AccessDenied(f"The makers of {what} have said no to your request.", detail=detail, page=page)
    return AskForAccess(
        f"{what} is given to those who accept its terms. Open the model's page and ask for access, then try again.",
        detail=detail,
        page=page,
    )


def _kept_back(code: str, what: str, host: str, detail: str, page: str) -> HubError:
    if code == "RepoNotFound":
        return NotFound(f"{what} is not there, or it is private. {token_hint(host)}", detail=detail, page=page)
    wish = f"The makers of {what} want to know who uses it." if code == "GatedRepo" else f"{what} needs a login."
    return TokenKeptBack(f"{wish} {token_hint(host)}", detail=detail, page=page)


def _hidden(status: int, what: str, detail: str, page: str, with_token: bool) -> HubError:
    if with_token or status == 404:
        return NotFound(f"{what} is not on Hugging Face, or it is private and not yours.", detail=detail, page=page)
    return NotFound(
        f"{what} is not on Hugging Face, or it is private. If it is yours, log in with an access token.",
        detail=detail,
        page=page,
    )


def _rate_limited(headers: Mapping[str, str], detail: str, with_token: bool) -> RateLimited:
    seconds = wait_s(headers)
    when = _when(seconds)
    more = "" if with_token else " With an access token Hugging Face allows more."
    return RateLimited(f"Hugging Face was asked too often. Try again {when}.{more}", detail=detail, seconds=seconds)


def _when(seconds: int) -> str:
    if not seconds:
        return "in a few minutes"
    if seconds < 100:
        return f"in {seconds} seconds" if seconds > 1 else "in a second"
    return f"in {-(-seconds // 60)} minutes"
