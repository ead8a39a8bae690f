"""The HTTP library's errors become ours, by their types and by the system's codes, never by their messages."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator

import httpx2

from app.privacy.errors import (
    AnswerUnusable,
    ConnectionFailed,
    NameNotFound,
    NetworkError,
    ProxyAway,
    ProxyFailed,
    TimedOut,
    TlsFailed,
)

# OpenSSL's verification results (X509_V_ERR_*), the same numbers since OpenSSL 1.1.
_EXPIRED = {9, 10}
_WRONG_NAME = {62, 63, 64}
_UNKNOWN_ISSUER = {2, 18, 19, 20, 21}

_NO_WAY = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN}


def translated(error: Exception, host: str, *, proxy: str = "", hung_up: bool = True) -> NetworkError:
    """The error for what happened while `host` was asked. `proxy` names the proxy in between, if there is one;
    `hung_up`: whether the other end ended the connection, as far as is known."""
    detail = f"{type(error).__name__}: {error}"
    causes = list(_causes(error))
    if isinstance(error, httpx2.TimeoutException):
        return _silence(error, host, proxy, detail)
    tls = next((cause for cause in causes if isinstance(cause, ssl.SSLError)), None)
    if tls is not None and isinstance(error, httpx2.ConnectError):
        return _insecure(tls, host, detail)
    if isinstance(error, httpx2.ProxyError):
        return ProxyFailed(f"The proxy {proxy} did not let us through to {host}.", detail=detail, host=proxy)
    if proxy and isinstance(error, httpx2.ConnectError):
        return ProxyAway(f"The proxy {proxy} cannot be reached.", detail=detail, host=proxy)
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return NameNotFound(
            f"The name {host} could not be looked up. Look at your network connection.", detail=detail, host=host
        )
    if isinstance(error, httpx2.TransportError) and not isinstance(error, httpx2.ProtocolError):
        return _broken(causes, host, detail)
    if isinstance(error, httpx2.RemoteProtocolError):
        if not hung_up:
            return AnswerUnusable(f"The answer of {host} is broken: it is not proper HTTP.", detail=detail, host=host)
        return ConnectionFailed(f"{host} ended the connection before its answer was whole.", detail=detail, host=host)
    return AnswerUnusable(f"The answer of {host} cannot be used.", detail=detail, host=host)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what led to it; the library wraps an error twice."""
    current: BaseException | None = error
    for _ in range(10):
        if current is None:
            return
        yield current
        current = current.__cause__ or current.__context__


def _silence(error: httpx2.TimeoutException, host: str, proxy: str, detail: str) -> NetworkError:
    if isinstance(error, httpx2.PoolTimeout):
        return TimedOut("Too many connections are open at once; one did not become free.", detail=detail, host=host)
    if isinstance(error, httpx2.ConnectTimeout) and proxy:
        return ProxyAway(f"The proxy {proxy} did not answer in time.", detail=detail, host=proxy)
    return TimedOut(f"{host} did not answer in time.", detail=detail, host=host)


def _insecure(error: ssl.SSLError, host: str, detail: str) -> NetworkError:
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):  # the line broke, and says nothing of certificates
        return ConnectionFailed(f"{host} ended the connection before it was secure.", detail=detail, host=host)
    code = error.verify_code if isinstance(error, ssl.SSLCertVerificationError) else 0
    if code in _UNKNOWN_ISSUER:
        sentence = (
            f"{host} shows a certificate that this computer does not know. If your network looks into connections, "
            "give its certificate file in the settings."
        )
    elif code in _EXPIRED:
        sentence = f"The certificate of {host} is not valid today. Look at this computer's date, then at the host."
    elif code in _WRONG_NAME:
        sentence = f"The certificate that {host} shows belongs to another name, so it may be somebody else."
    elif code:
        sentence = f"The certificate of {host} is not accepted."
    else:
        sentence = f"No secure connection to {host} could be made."
    return TlsFailed(sentence, detail=detail, host=host)


def _broken(causes: list[BaseException], host: str, detail: str) -> ConnectionFailed:
    codes = {cause.errno for cause in causes if isinstance(cause, OSError)}
    if codes & _NO_WAY:
        sentence = f"There is no way to {host}. Look at your network connection."
    elif errno.ECONNREFUSED in codes:
        sentence = f"{host} does not take connections."
    else:
        sentence = f"The connection to {host} broke."
    return ConnectionFailed(sentence, detail=detail, host=host)
