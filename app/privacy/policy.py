"""Who may be asked for what, as pure functions over values. No socket, no clock, no HTTP library.

The rules, in this order. Nothing leaves while the switch is off. Every request belongs to an action of the person.
Plain http goes to this computer only. The Hub's own origin may be asked for anything; another host only for files, and
only when an allowed host sent us there within the same action; pictures of a model card come from any public https
host, since the person allowed exactly that. A host far away never leads us to this computer. An access token goes to
the public Hub itself, never unasked to a mirror, and to hosts the person named for it. Another computer that takes part
of a model is one the person named, too; it may be this computer even while the switch is off.
"""

from __future__ import annotations

import enum
import ipaddress
import re
from collections.abc import Collection
from urllib.parse import urlsplit

import msgspec

PUBLIC_HUB = "https://huggingface.co"

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,251}[a-z0-9])?\.?")
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Purpose(enum.StrEnum):
    """What a request is for. Every one that exists is listed here."""

    SEARCH = "search"
    MODEL = "model"
    CARD = "card"
    CARD_IMAGE = "card_image"
    HEADER = "header"
    DOWNLOAD = "download"
    CHECK = "check"
    UPDATE = "update"
    COMPUTE = "compute"


FILES = frozenset({Purpose.HEADER, Purpose.DOWNLOAD})
"""Purposes that need files byte for byte."""

ELSEWHERE = FILES | {Purpose.CARD}
"""Purposes that read what the Hub may keep on other hosts: files, and a card is one when it is large."""

MIB = 1024 * 1024
LIMITS_BYTES = {Purpose.HEADER: 64 * MIB, Purpose.CARD_IMAGE: 16 * MIB}
"""The largest answer, unpacked, for purposes that differ from OTHER_LIMIT_BYTES. A download has no limit."""

OTHER_LIMIT_BYTES = 32 * MIB


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """Something the person did that needs the network. `what` says it in words: 'Search for “llama 3b”'."""

    id: str
    purpose: Purpose
    what: str


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What holds now. `reason` is the sentence for a closed switch. `hub` is an origin.

    `token_hosts` are hosts (`mirror.example`, or with a port) that get the access token besides the Hub itself.
    `workers` are further computers, as HOST:PORT, that may take part of a model.
    """

    online: bool = False
    reason: str = "Inglenook is offline."
    hub: str = PUBLIC_HUB
    token_hosts: tuple[str, ...] = ()
    workers: tuple[str, ...] = ()


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """How to get out: a proxy address ('' takes the environment's) and a file of further certificates ('' is none)."""

    proxy: str = ""
    ca_file: str = ""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """The other end of a request. `host` is lower-case, without brackets."""

    scheme: str
    host: str
    port: int

    @property
    def name(self) -> str:
        """The host as people write it: the port only where it is not the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS.get(self.scheme) else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"{self.scheme}://{self.name}"

    @property
    def local(self) -> bool:
        """Whether this is this computer itself."""
        address = _address(self.host)
        return self.host == "localhost" if address is None else address.is_loopback


def target_of(scheme: str, host: str, port: int | None) -> Target:
    """The target with its port filled in. An unknown scheme has port 0."""
    return Target(scheme=scheme, host=host.lower(), port=port or _DEFAULT_PORTS.get(scheme, 0))


def target_of_url(url: str) -> Target | None:
    """The target of an address somebody typed; None when it is not one."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    return target_of(parts.scheme.lower(), parts.hostname, port) if parts.scheme and parts.hostname else None


def target_of_worker(endpoint: str) -> Target | None:
    """The target of a further computer, written as HOST:PORT; None when it is not one. libggml knows no addresses of
    IPv6."""
    target = target_of_url(f"rpc://{endpoint}")
    if target is None or ":" in target.host or not _has_name(target) or not target.port:
        return None
    return target if target.name == endpoint.strip().lower() else None


def compute_refusal(policy: Policy, endpoint: str) -> str:
    """Why a further computer may not take part of a model, in a sentence; '' when it may. What is sent there is neither
    encrypted nor protected by a password."""
    target = target_of_worker(endpoint)
    if target is None:
        return f"“{endpoint}” is not a further computer: it looks like 192.168.1.20:50052."
    if endpoint not in policy.workers:
        return f"{endpoint} is not among the other computers in the settings."
    if not target.local and not policy.online:
        return policy.reason
    return ""


def refusal(policy: Policy, action: Action, target: Target, granted: Collection[str]) -> str:
    """Why this request may not leave, in a sentence; '' when it may. `granted`: origins that the Hub sent us to."""
    if not _usable(policy.hub) and not (target.scheme in _DEFAULT_PORTS and _has_name(target)):
        return "The Hub's address in the settings or in HF_ENDPOINT cannot be used; it looks like https://hub.example."
    if target.scheme not in _DEFAULT_PORTS:
        return f"“{target.scheme}” is not a way to ask the network that Inglenook uses."
    if not _has_name(target):
        return "This is not the name of a host."
    if target.scheme == "http" and not target.local:
        return f"The connection to {target.name} would not be encrypted."
    if target.origin == policy.hub:
        return ""
    if action.purpose is Purpose.CARD_IMAGE:
        return "" if _public(target) or _hub_is_local(policy) else f"{target.name} is not a public place for pictures."
    if action.purpose in ELSEWHERE and target.origin in granted:
        return ""
    return f"{target.name} is not the place that models come from."


def may_lead_to(policy: Policy, action: Action, target: Target) -> bool:
    """Whether an allowed host may send us on to `target` within this action."""
    if action.purpose not in ELSEWHERE or not _has_name(target):
        return False
    if target.scheme != "https" and not (target.scheme == "http" and target.local):
        return False
    return _hub_is_local(policy) or not _near(target)


def may_carry_token(policy: Policy, target: Target) -> bool:
    """Whether an access token may travel to `target`: to the public Hub, elsewhere only where the person said so.

    A mirror that was set as the endpoint is not the Hub: whoever runs it would get a key to the person's account.
    """
    if target.origin == policy.hub == PUBLIC_HUB:
        return True
    return (target.scheme == "https" or target.local) and target.name in policy.token_hosts


def limit_bytes(purpose: Purpose) -> int | None:
    """How large an answer may get, unpacked; None is no limit."""
    return None if purpose is Purpose.DOWNLOAD else LIMITS_BYTES.get(purpose, OTHER_LIMIT_BYTES)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _has_name(target: Target) -> bool:
    return _NAME.fullmatch(target.host) is not None or _address(target.host) is not None


def _numeric(host: str) -> bool:
    """Whether a resolver may read this as a number, although it is no address as people write it (0x7f.1, 127.1)."""
    last = host.rstrip(".").rpartition(".")[2]
    return last.isdecimal() or last.startswith("0x")


def _near(target: Target) -> bool:
    """This computer, or one that only its own cable reaches."""
    address = _address(target.host)
    if address is None:
        return target.host.rstrip(".") == "localhost" or target.host.endswith(".localhost") or _numeric(target.host)
    return address.is_loopback or address.is_link_local or address.is_unspecified


def _public(target: Target) -> bool:
    if target.scheme != "https" or _near(target):
        return False
    address = _address(target.host)
    return address.is_global if address is not None else "." in target.host


def _usable(hub: str) -> bool:
    """Whether this can be a Hub's address at all."""
    target = target_of_url(hub)
    return target is not None and target.scheme in _DEFAULT_PORTS and _has_name(target)


def _hub_is_local(policy: Policy) -> bool:
    hub = target_of_url(policy.hub)
    return hub is not None and hub.local
