"""Where requests really leave: an httpx2 transport that asks the policy for every hop and counts what travels.

Each hop of a redirect comes through `handle_request`, whoever follows it. What is sent is counted from the request line
and the headers as they are written, plus the body; what comes, from status line and headers, plus the body while it
streams. Cookies are neither sent nor kept. This room is the only one that imports httpx2.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx2

from app.privacy.bodies import body_of
from app.privacy.errors import AnswerTooLarge, AnswerUnusable, NetworkError, Offline, Refused
from app.privacy.exchange import Exchange, Exchanges, under_way
from app.privacy.ledger import Ledger, Outcome
from app.privacy.policy import (
    FILES,
    Policy,
    Target,
    Way,
    limit_bytes,
    may_carry_token,
    may_lead_to,
    refusal,
    target_of,
)
from app.privacy.translate import translated
from app.privacy.unpacking import Unpacked
from app.privacy.ways import Ways

TIMEOUTS_S = {"connect": 10.0, "read": 30.0, "write": 30.0, "pool": 10.0}
LONGEST_TIMEOUT_S = 600.0

_NEVER_SENT = ("Cookie", "Proxy-Authorization")
_NEVER_KEPT = (b"set-cookie", b"set-cookie2")

for _name in ("httpx2", "httpcore2"):  # they log whole addresses, signatures in them included
    logging.getLogger(_name).setLevel(logging.WARNING)


class GateTransport(httpx2.BaseTransport):
    """One for the whole application; thread-safe as httpx2's own transports are."""

    def __init__(
        self, policy: Callable[[], Policy], way: Callable[[], Way], exchanges: Exchanges, ledger: Ledger
    ) -> None:
        self._policy = policy
        self._way = way
        self._exchanges = exchanges
        self._ledger = ledger
        self._ways = Ways()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Sends one request if the policy allows it. Raises a NetworkError, never one of httpx2's."""
        target = target_of(request.url.scheme, request.url.raw_host.decode("ascii"), request.url.port)
        # Registered first: whoever shuts the switch now finds this exchange, or this exchange finds the switch shut.
        exchange = self._exchanges.begin(target, self._ledger)
        try:
            policy = self._policy()
            self._let_through(exchange, policy, target)
            self._prepare(request, exchange, policy, target)
            return self._exchange(request, exchange, policy)
        except BaseException:
            self._exchanges.end(exchange)
            raise

    def hang_up(self) -> None:
        """Ends all connections at once, those in use too. A later request opens new ones."""
        self._ways.hang_up()

    def close(self) -> None:
        """Closes all connections when nobody uses them any more. A later request opens new ones."""
        self._ways.close()

    def _let_through(self, exchange: Exchange, policy: Policy, target: Target) -> None:
        """Raises Offline or Refused, which the ledger keeps."""
        action = exchange.action
        error: NetworkError | None = None
        if action is None:
            error = Refused("Nothing you did asks for the network.", host=target.name)
        elif not policy.online:
            error = Offline(policy.reason, host=target.name)
        elif sentence := refusal(policy, action, target, exchange.granted):
            error = Refused(sentence, host=target.name)
        exchange.row.began()
        if error is not None:
            exchange.row.ended_badly(Outcome.REFUSED, error.sentence)
            raise error

    def _prepare(self, request: httpx2.Request, exchange: Exchange, policy: Policy, target: Target) -> None:
        for name in _NEVER_SENT:
            request.headers.pop(name, None)
        if not may_carry_token(policy, target):
            request.headers.pop("Authorization", None)
        request.headers["Host"] = request.url.netloc.decode("ascii")
        if exchange.purpose in FILES:
            request.headers["Accept-Encoding"] = "identity"
        elif request.headers.get("Accept-Encoding", "identity") != "identity":
            request.headers["Accept-Encoding"] = "gzip"
        # Only these: others would change where the request goes or how it is secured.
        request.extensions = {"timeout": _timeouts(request.extensions.get("timeout")), "trace": exchange.trace}

    def _exchange(self, request: httpx2.Request, exchange: Exchange, policy: Policy) -> httpx2.Response:
        row, host = exchange.row, exchange.target.name
        sent = _Sent(request.stream, exchange)
        request.stream = sent
        proxy = ""
        token = under_way.set(exchange)
        try:
            exchange.raise_if_stopped()
            out = self._ways.out(self._way(), exchange.target)
            exchange.out, proxy = out, out.proxy
            row.sent(_head_bytes(request))
            response = out.transport.handle_request(request)
        except httpx2.HTTPError as error:
            if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout | httpx2.ProxyError):
                row.sent(-_head_bytes(request))  # it never left
            ours = exchange.stopped or translated(error, host, proxy=proxy, hung_up=exchange.hung_up)
            row.ended_badly(Outcome.FAILED, ours.sentence)
            raise ours from error
        except NetworkError as error:
            row.ended_badly(Outcome.FAILED, error.sentence)
            raise
        finally:
            under_way.reset(token)
            request.stream = sent.inner
        row.answered()
        row.received(_answer_bytes(response))
        exchange.connected(response.extensions.get("network_stream"))
        self._grant(exchange, policy, request, response)
        return self._handed_on(response, exchange, proxy, request.extensions["timeout"]["read"])

    def _grant(self, exchange: Exchange, policy: Policy, request: httpx2.Request, response: httpx2.Response) -> None:
        """Remembers where an allowed host sends us on to, for the rest of this action."""
        location = response.headers.get("Location")
        if not location or not 300 <= response.status_code < 400 or exchange.action is None:
            return
        try:
            url = request.url.join(location)
            target = target_of(url.scheme, url.raw_host.decode("ascii"), url.port)
        except (httpx2.InvalidURL, ValueError):
            return
        if may_lead_to(policy, exchange.action, target):
            exchange.granted.add(target.origin)

    def _handed_on(
        self, response: httpx2.Response, exchange: Exchange, proxy: str, timeout_s: float
    ) -> httpx2.Response:
        headers = httpx2.Headers(
            [(name, value) for name, value in response.headers.raw if name.lower() not in _NEVER_KEPT]
        )
        encoding = headers.get("Content-Encoding", "identity").strip().lower()
        unpack = encoding in ("gzip", "x-gzip")
        wrong = encoding not in ("", "identity") and not (unpack and _may_be_packed(exchange, response))
        if wrong:
            exchange.let_go()
            response.close()
            error = AnswerUnusable(
                f"{exchange.target.name} answered in a form that was not asked for.",
                detail=f"Content-Encoding: {encoding}",
                host=exchange.target.name,
            )
            exchange.row.ended_badly(Outcome.FAILED, error.sentence)
            raise error
        if unpack:
            del headers["Content-Encoding"]
            headers.pop("Content-Length", None)
        return httpx2.Response(
            status_code=response.status_code,
            headers=headers,
            stream=_Received(body_of(response, timeout_s), exchange, self._exchanges, proxy, unpack=unpack),
            extensions=response.extensions,
        )


class _Sent(httpx2.SyncByteStream):
    """A request's body, counted while it leaves."""

    def __init__(self, inner: Any, exchange: Exchange) -> None:
        self.inner = inner
        self._exchange = exchange

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self.inner:
            self._exchange.raise_if_stopped()
            self._exchange.row.sent(len(chunk))
            yield chunk

    def close(self) -> None:
        self.inner.close()


class _Received(httpx2.SyncByteStream):
    """A response's body: counted, limited, and ended at once when the switch is shut or the action is cancelled."""

    def __init__(
        self, inner: httpx2.SyncByteStream, exchange: Exchange, exchanges: Exchanges, proxy: str, *, unpack: bool
    ) -> None:
        self._inner = inner
        self._exchange = exchange
        self._exchanges = exchanges
        self._proxy = proxy
        self._unpacked = Unpacked(limit_bytes(exchange.purpose)) if unpack else None
        self._left = limit_bytes(exchange.purpose)

    def __iter__(self) -> Iterator[bytes]:
        exchange, host = self._exchange, self._exchange.target.name
        try:
            for chunk in self._inner:
                exchange.raise_if_stopped()
                exchange.row.received(len(chunk))
                self._limit(len(chunk))
                if self._unpacked is None:
                    yield chunk
                else:
                    yield from self._unpacked.feed(chunk, host)
            exchange.raise_if_stopped()  # a socket that was shut looks like the end of the body
            if self._unpacked is not None:
                self._unpacked.finish(host)
        except httpx2.HTTPError as error:
            ours = exchange.stopped or translated(error, host, proxy=self._proxy, hung_up=exchange.hung_up)
            exchange.row.ended_badly(Outcome.FAILED, ours.sentence)
            raise ours from error
        except NetworkError as error:
            exchange.row.ended_badly(Outcome.FAILED, error.sentence)
            raise

    def _limit(self, count: int) -> None:
        if self._left is not None:
            self._left -= count
            if self._left < 0:
                host = self._exchange.target.name
                raise AnswerTooLarge(f"{host} sent more than anything that was asked for can be.", host=host)

    def close(self) -> None:
        self._exchange.let_go()
        try:
            self._inner.close()
        finally:
            self._exchanges.end(self._exchange)


def _may_be_packed(exchange: Exchange, response: httpx2.Response) -> bool:
    """A file has to come as it is; what is said about it, and everything else, may be packed."""
    return exchange.purpose not in FILES or response.status_code >= 300


def _timeouts(given: object) -> dict[str, float]:
    """What the caller asked for; never nothing, never for ever."""
    asked = given if isinstance(given, Mapping) else {}
    return {name: _timeout(asked.get(name), usual) for name, usual in TIMEOUTS_S.items()}


def _timeout(asked: object, usual: float) -> float:
    if isinstance(asked, int | float) and not math.isnan(asked) and asked > 0:
        return min(float(asked), LONGEST_TIMEOUT_S)
    return usual


def _head_bytes(request: httpx2.Request) -> int:
    line = len(request.method) + len(request.url.raw_path) + len("  HTTP/1.1\r\n")
    return line + _header_bytes(request.headers)


def _answer_bytes(response: httpx2.Response) -> int:
    return len(f"HTTP/1.1 {response.status_code} {response.reason_phrase}\r\n") + _header_bytes(response.headers)


def _header_bytes(headers: httpx2.Headers) -> int:
    return sum(len(name) + len(value) + 4 for name, value in headers.raw) + 2
