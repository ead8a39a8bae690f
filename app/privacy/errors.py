"""What can go wrong between this computer and another one, in words for the person.

`passing` says whether the same request may succeed later without anybody changing anything (a broken line, a slow
server); a request that is refused or a certificate that is wrong stays so. Nothing here knows an HTTP library.
"""

# ruff: noqa: N818 - named after what happened, which reads better at `except` than another word Error

from __future__ import annotations

from typing import ClassVar

from app.base.errors import InglenookError


class NetworkError(InglenookError):
    """Base of this room. `host` is whom it is about, '' when it is about nobody in particular."""

    code = "network"
    passing: ClassVar[bool] = False

    def __init__(self, sentence: str, *, detail: str = "", host: str = "") -> None:
        super().__init__(sentence, detail=detail)
        self.host = host


class Offline(NetworkError):
    """The switch is off: nothing was sent, no name was looked up, no socket was opened."""

    code = "offline"


class Refused(NetworkError):
    """The gate does not let this request out, whatever the network is like."""

    code = "refused"


class Cancelled(NetworkError):
    """The person's action behind the request was cancelled."""

    code = "cancelled"


class NameNotFound(NetworkError):
    """The name of the host could not be looked up (DNS)."""

    code = "name_not_found"
    passing = True


class TlsFailed(NetworkError):
    """There is no secure connection: a certificate that cannot be trusted, or none at all."""

    code = "tls_failed"


class ProxyFailed(NetworkError):
    """The proxy could not be reached, or it refused."""

    code = "proxy_failed"


class ProxyAway(ProxyFailed):
    """The proxy itself could not be reached, which is what a lost network looks like to those who use one."""

    passing = True


class TimedOut(NetworkError):
    """Somebody was silent for too long."""

    code = "timed_out"
    passing = True


class ConnectionFailed(NetworkError):
    """Refused, unreachable, or broken on the way."""

    code = "connection_failed"
    passing = True


class AnswerTooLarge(NetworkError):
    """The answer is larger than anything that was asked for can be."""

    code = "answer_too_large"


class AnswerUnusable(NetworkError):
    """The answer is not what the protocol allows, or came in a form that was not asked for."""

    code = "answer_unusable"
