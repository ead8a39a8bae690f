"""The switch between this computer and the network: what it says, turning it, and what went through it.

The gate asks here whether it is open, for every request. Nothing here sends anything but `check_connection`.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from app.privacy.errors import NetworkError, Offline
from app.privacy.gate import Gate
from app.privacy.ledger import LedgerEntry
from app.privacy.policy import PUBLIC_HUB, Policy, Purpose, Way, target_of_url
from app.services.changes import NetworkChanged, NetworkState, Publisher
from app.services.errors import ServiceError
from app.services.ground import Ground
from app.services.jobs import Jobs
from app.services.ledger import LedgerKeeping, ledger_csv
from app.settings.file import SettingsFile

NOTHING_LEAVES = "Nothing leaves this computer"
ONLINE = "Online for models only"

OFFLINE_OPTION = "--offline"
_OFFLINE_VARIABLES = ("INGLENOOK_OFFLINE", "HF_HUB_OFFLINE")
_ENDPOINT_VARIABLE = "HF_ENDPOINT"
_YES = {"1", "on", "yes", "true"}

CHECK_TIMEOUT_S = 15.0
ALL_ENTRIES = 1_000_000


class ConnectionReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a check of the connection found. `code` is 'ok', the code of an error of privacy/errors.py, or one of
    unauthorized (401), forbidden (403), rate_limited (429), server_error (5xx), led_away (it answers with another
    place), not_a_hub, bad_endpoint."""

    ok: bool
    code: str
    sentence: str
    endpoint: str
    detail: str = ""
    elapsed_ms: int = 0


class Network:
    """All methods may be called from any thread. `gate` is the one door; hand it to whoever needs the network."""

    def __init__(
        self,
        settings: SettingsFile,
        ground: Ground,
        publisher: Publisher,
        jobs: Jobs,
        *,
        offline: bool = False,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        """`offline`: asked for on the command line; then nothing can switch it online in this run."""
        self._settings = settings
        self._publisher = publisher
        self._lock = threading.Lock()
        self._forced_by = OFFLINE_OPTION if offline else _forced_by(environment)
        self._environment_endpoint = environment.get(_ENDPOINT_VARIABLE, "").strip()
        self._consented = False
        self._computing: tuple[str, ...] = ()
        self._keeping = LedgerKeeping(ground, publisher, jobs)
        self.gate = Gate(
            self._policy, self._way, ledger=self._keeping.ledger, on_action_ended=lambda _: self._keeping.action_ended()
        )
        self._told = self.state

    # --- the switch -------------------------------------------------------------------------------------------------

    @property
    def state(self) -> NetworkState:
        """How it stands now."""
        mode = self._settings.current.network.mode
        online = not self._forced_by and (mode == "online" or (mode == "ask" and self._consented))
        words = ONLINE if online else NOTHING_LEAVES
        if self._computing:
            words = f"This model also uses {', '.join(self._computing)}"
        return NetworkState(mode=mode, online=online, forced_by=self._forced_by, words=words, computing=self._computing)

    @property
    def endpoint(self) -> str:
        """The Hub's address without a slash at its end: the settings', HF_ENDPOINT, or the public one."""
        chosen = self._settings.current.network.endpoint.strip() or self._environment_endpoint or PUBLIC_HUB
        return chosen.rstrip("/")

    @property
    def token_goes_to_hub(self) -> bool:
        """Whether an access token is sent to the hub that is asked: a mirror gets it only if the person named it."""
        return self.gate.carries_token(self.endpoint)

    def go_online(self) -> None:
        """Opens the gate, for later runs too. Raises Offline when something forces it shut, or a SettingsError."""
        if self._forced_by:
            raise Offline(self._reason())
        self._settings.change("network.mode", "online")
        self._tell()

    def go_offline(self) -> None:
        """Shuts the gate, for later runs too; what is under way ends. Raises a SettingsError when that is not kept."""
        try:
            self._settings.change("network.mode", "offline")
        finally:
            self._tell()

    def consent(self) -> None:
        """A command that needs the network was given, which is consent for this run, unless offline was chosen on
        purpose. Raises Offline."""
        if self._forced_by or self._settings.current.network.mode == "offline":
            raise Offline(self._reason())
        self._consented = True
        self._tell()

    def computing(self, computers: tuple[str, ...]) -> None:
        """The loaded model lies on these further computers too, or on none."""
        self._computing = computers
        self._tell()

    def settings_changed(self, names: tuple[str, ...]) -> None:
        """Options changed, by dotted name."""
        if any(name.startswith("network.") for name in names):
            self._tell()

    def stop(self) -> None:
        """Closes the gate: whoever waits for the network wakes up."""
        self.gate.close()
        self._keeping.stop()

    def close(self) -> None:
        """Keeps what is left of the ledger, after `stop`, while the store is still open."""
        self._keeping.close()

    def _tell(self) -> None:
        with self._lock:
            state = self.state
            changed, self._told = state != self._told, state
        if not state.online:
            self.gate.shut()
        if changed:
            self._publisher.publish(NetworkChanged(state=state))

    def _policy(self) -> Policy:
        network = self._settings.current.network
        hub = target_of_url(self.endpoint)
        return Policy(
            online=self.state.online,
            reason=self._reason(),
            hub="" if hub is None else hub.origin,
            token_hosts=tuple(host.strip().lower() for host in network.token_hosts),
            workers=self._settings.current.engine.workers,
        )

    def _way(self) -> Way:
        network = self._settings.current.network
        return Way(proxy=network.proxy.strip(), ca_file=network.ca_file.strip())

    def _reason(self) -> str:
        if self._forced_by == OFFLINE_OPTION:
            return "Inglenook was started with --offline, so it does not reach the network."
        if self._forced_by:
            return f"{self._forced_by} is set, so Inglenook does not reach the network."
        if self._settings.current.network.mode == "offline":
            return "Inglenook is set to work offline. Switch it online first."
        return "Inglenook is offline until you switch it online."

    # --- the ledger -------------------------------------------------------------------------------------------------

    def ledger(self, limit: int = 500, *, refused_only: bool = False) -> list[LedgerEntry]:
        """The newest entries first. Reads the disk. Raises a StoreError."""
        return self._keeping.entries(limit, refused_only=refused_only)

    def save_ledger(self, path: Path) -> int:
        """Writes all entries as CSV; returns how many. Raises ServiceError with the reason, or a StoreError."""
        entries = self.ledger(ALL_ENTRIES)
        try:
            path.write_text(ledger_csv(entries), encoding="utf-8", newline="")
        except OSError as error:
            raise ServiceError(
                f"The ledger could not be saved as {path.name} ({error.strerror}).", detail=str(error)
            ) from error
        return len(entries)

    # --- is anybody there -------------------------------------------------------------------------------------------

    def check_connection(self, *, token: str = "") -> ConnectionReport:
        """Asks the Hub for one model and names what is wrong, if something is. Takes up to CHECK_TIMEOUT_S and more
        when a server trickles; not for the window's thread. `token` is sent along, when there is one."""
        endpoint = self.endpoint
        target = target_of_url(endpoint)
        if target is None or target.scheme not in ("http", "https"):
            return _report("bad_endpoint", f"“{endpoint}” is not the address of a hub.", endpoint)
        headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        began = time.monotonic()
        try:
            with self.gate.action(Purpose.CHECK, "Check the connection"):
                response = self.gate.client().get(
                    f"{endpoint}/api/models", params={"limit": "1"}, headers=headers, timeout=CHECK_TIMEOUT_S
                )
        except NetworkError as error:
            return _report(error.code, error.sentence, endpoint, detail=error.detail)
        answer = (response.status_code, response.content, response.headers.get("Location", ""))
        report = _judged(*answer, endpoint, target.name)
        return msgspec.structs.replace(report, elapsed_ms=round((time.monotonic() - began) * 1000))


def _forced_by(environment: Mapping[str, str]) -> str:
    return next((name for name in _OFFLINE_VARIABLES if environment.get(name, "").strip().lower() in _YES), "")


def _report(code: str, sentence: str, endpoint: str, *, detail: str = "") -> ConnectionReport:
    return ConnectionReport(ok=code == "ok", code=code, sentence=sentence, endpoint=endpoint, detail=detail)


_STATUS = {
    401: ("unauthorized", "{host} wants you to log in: it needs an access token, or does not accept yours."),
    403: ("forbidden", "{host} knows you, but does not let you in, or a filter in between does not."),
    407: ("proxy_failed", "The proxy wants a name and a password: http://name:password@proxy.example:8080."),
    429: ("rate_limited", "{host} was asked too often from here. Try again in a few minutes."),
}


def _judged(status: int, body: bytes, location: str, endpoint: str, host: str) -> ConnectionReport:
    detail = f"HTTP {status}"
    if status in _STATUS:
        code, sentence = _STATUS[status]
        return _report(code, sentence.format(host=host), endpoint, detail=detail)
    if status >= 500:
        return _report("server_error", f"{host} has trouble of its own. Try again later.", endpoint, detail=detail)
    if 300 <= status < 400:
        sentence = f"{host} leads elsewhere. Perhaps this network wants you to log in with a browser first."
        return _report("led_away", sentence, endpoint, detail=f"{detail} {location[:200]}")
    if status == 200 and _is_list_of_models(body):
        return _report("ok", f"{host} answers.", endpoint, detail=detail)
    sentence = f"Something answers at {host}, but it is not a hub of models. Look at the address in the settings."
    return _report("not_a_hub", sentence, endpoint, detail=detail)


def _is_list_of_models(body: bytes) -> bool:
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return False
    return isinstance(found, list) and all(isinstance(one, dict) and ("id" in one or "modelId" in one) for one in found)
