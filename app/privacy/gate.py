"""The one door to the network. Everything that leaves this computer leaves through a Gate's client.

Importing this costs nothing: the HTTP library comes with the first call of `client`. The gate asks for the policy and
the way out anew for every request, so a changed option or switch holds at once. What to do with a refusal is the
caller's business.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from app.base.ids import new_id
from app.base.version import VERSION
from app.privacy.errors import Cancelled, Offline, Refused
from app.privacy.exchange import Exchanges
from app.privacy.ledger import Ledger, Outcome
from app.privacy.policy import (
    Action,
    Policy,
    Purpose,
    Way,
    compute_refusal,
    may_carry_token,
    target_of_url,
    target_of_worker,
)

if TYPE_CHECKING:
    import httpx2

    from app.privacy.transport import GateTransport

MAX_REDIRECTS = 10


def _nothing(_: Action) -> None:
    pass


class Gate:
    """`policy` and `way` are asked for every request; `on_action_ended` hears, on the action's last thread, that no
    thread is inside an action any more. `ledger` counts."""

    def __init__(
        self,
        policy: Callable[[], Policy],
        way: Callable[[], Way] = Way,
        *,
        ledger: Ledger | None = None,
        on_action_ended: Callable[[Action], None] = _nothing,
    ) -> None:
        self.ledger = ledger or Ledger()
        self._policy = policy
        self._way = way
        self._exchanges = Exchanges(on_action_ended)
        self._lock = threading.Lock()
        self._client: httpx2.Client | None = None
        self._transport: GateTransport | None = None

    def client(self) -> httpx2.Client:
        """The one client, to be used from any thread; it always has time-outs and follows no redirect unless asked per
        request. Whatever goes wrong is a NetworkError of this room. One that somebody closed is made anew."""
        with self._lock:
            if self._client is None or self._client.is_closed:
                from app.privacy.client import Client  # brings httpx2, which no start may pay for
                from app.privacy.transport import GateTransport

                self._transport = GateTransport(self._policy, self._way, self._exchanges, self.ledger)
                self._client = Client(
                    self._transport,
                    user_agent=f"inglenook/{VERSION}",
                    max_redirects=MAX_REDIRECTS,
                )
            return self._client

    def carries_token(self, url: str) -> bool:
        """Whether an access token may travel to this address as things stand now; otherwise it is taken off there."""
        target = target_of_url(url)
        return target is not None and may_carry_token(self._policy(), target)

    def compute(self, endpoint: str) -> None:
        """Asks whether a further computer (HOST:PORT) may take part of a model. The ledger keeps that, but not how much
        goes there: the engine talks to it by itself. Raises Offline or Refused."""
        target = target_of_worker(endpoint)
        name = target.name if target is not None else endpoint
        action = Action(id=new_id(), purpose=Purpose.COMPUTE, what="Compute on another computer too")
        row = self.ledger.row(action, name, local=target is not None and target.local)
        row.began()
        policy = self._policy()
        sentence = compute_refusal(policy, endpoint)
        if sentence:
            row.ended_badly(Outcome.REFUSED, sentence)
            raise (Refused if policy.online else Offline)(sentence, host=name)
        row.answered()

    @staticmethod
    def is_here(endpoint: str) -> bool:
        """Whether this HOST:PORT is this computer itself."""
        target = target_of_worker(endpoint)
        return target is not None and target.local

    @contextlib.contextmanager
    def action(self, purpose: Purpose, what: str) -> Iterator[Action]:
        """Requests of this thread inside the block belong to a new action. `what`: the person's action in words."""
        action = Action(id=new_id(), purpose=purpose, what=what)
        with self._exchanges.within(action):
            yield action

    @contextlib.contextmanager
    def join(self, action: Action) -> Iterator[None]:
        """The same action on another thread. Join while it is still going on: what is known of it ends with its last
        thread (the hosts that the Hub sent us to, for example)."""
        with self._exchanges.within(action):
            yield

    def cancel(self, action: Action) -> None:
        """Ends all requests of `action`, from any thread, with Cancelled; nothing more of it begins."""
        self._exchanges.cancel(action)

    def shut(self) -> None:
        """Ends all that is under way and closes every connection, because the policy says offline now."""
        reason = self._policy().reason
        self._exchanges.stop_all(lambda exchange: Offline(reason, host=exchange.target.name))
        with self._lock:
            transport = self._transport
        if transport is not None:
            transport.hang_up()

    def close(self) -> None:
        """Ends everything and closes all connections. Idempotent."""
        self._exchanges.stop_all(lambda exchange: Cancelled("Inglenook is ending.", host=exchange.target.name))
        with self._lock:
            client, self._client = self._client, None
            transport, self._transport = self._transport, None
        if transport is not None:
            transport.hang_up()
        if client is not None:
            client.close()
