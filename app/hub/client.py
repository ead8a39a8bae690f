"""How this room asks the Hub: one bounded request after another, each through the gate; and huggingface_hub made quiet.

`HubClient.get` is for answers that fit into memory (lists, pages, cards). It follows redirects within the Hub (a
renamed repository), elsewhere only for a file that the Hub itself describes; it never retries, and ends after TOTAL_S
whatever the server does. huggingface_hub's own functions for lists and infos are not used: they sleep for as long as a
server tells them to, cannot be given up in between, follow any link, put the server's words into the log, and give no
cursor to go on with.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlencode, urljoin, urlsplit

from app.hub.errors import HubError, ServerTrouble, from_answer, not_understood
from app.privacy.gate import Gate

PUBLIC_HUB = "https://huggingface.co"
SWITCHES = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
    "HF_HUB_DISABLE_XET": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_XET_TELEMETRY_ENABLED": "0",
}
TOTAL_S = 60.0
MAX_HOPS = 5
MAX_CURSOR = 4096

_REDIRECTS = (301, 302, 303, 307, 308)
_OF_A_FILE = ("x-repo-commit", "x-linked-etag", "x-linked-size")
"""What the Hub says of a file while it leads to it. A sign-in page in between does not."""

_prepared = threading.Lock()


def prepare(gate: Gate) -> None:
    """Before any use of huggingface_hub: no telemetry, no look for updates, no token by itself, and no client but the
    gate's. Raises RuntimeError when it was imported before and is not quiet."""
    with _prepared:
        os.environ.update(SWITCHES)
        import huggingface_hub
        from huggingface_hub import constants

        loud = not (constants.HF_HUB_DISABLE_TELEMETRY and constants.HF_HUB_DISABLE_IMPLICIT_TOKEN)
        if loud or not constants.HF_HUB_DISABLE_XET:
            raise RuntimeError("huggingface_hub was imported before its switches were set")
        huggingface_hub.set_client_factory(gate.client)


class Answer(NamedTuple):
    """What came: the body, where it came from in the end, and the query of the next page ('' on the last one).

    `whole` is False when the body was cut at the limit.
    """

    body: bytes
    url: str
    cursor: str
    whole: bool


class HubClient:
    """`endpoint` (an address without a trailing slash, perhaps with a path) and `token` ('' for none) are asked for
    every request, so that a changed option holds at once. Thread-safe."""

    def __init__(
        self,
        gate: Gate,
        endpoint: Callable[[], str] = lambda: PUBLIC_HUB,
        token: Callable[[], str] = str,
        *,
        total_s: float = TOTAL_S,
    ) -> None:
        self._gate = gate
        self._endpoint = endpoint
        self._token = token
        self._total_s = total_s

    @property
    def endpoint(self) -> str:
        """Where the Hub is now."""
        return self._endpoint().rstrip("/")

    def page(self, repo: str) -> str:
        """The web address of a repository, for people."""
        return f"{self.endpoint}/{repo}"

    def headers(self) -> dict[str, str]:
        """What every request to the Hub carries. The gate takes the token off on the way to anyone else."""
        token = self._token()
        return {"Authorization": f"Bearer {token}"} if token else {}

    def get(
        self,
        path: str,
        params: Sequence[tuple[str, str]] | str = (),
        *,
        limit_bytes: int,
        repo: str = "",
        cut: bool = False,
        file: bool = False,
    ) -> Answer:
        """GET `path` (quoted, from '/'); `params` as pairs, or a cursor of an answer before.

        A body over `limit_bytes` is cut when `cut` says so, and an error otherwise. `file`: it is one of a repository's
        files, which may lie on another host. Raises HubError, NetworkError. The caller is inside an action of the gate.
        """
        query = params if isinstance(params, str) else urlencode(params)
        start = self.endpoint
        url = f"{start}{path}?{query}" if query else f"{start}{path}"
        ends = time.monotonic() + self._total_s
        headers = own = self.headers()
        for _ in range(MAX_HOPS):
            with self._gate.client().stream("GET", url, headers=headers, follow_redirects=False) as response:
                status = response.status_code
                if status in _REDIRECTS:
                    away = not _same_place(url, start) or any(name in response.headers for name in _OF_A_FILE)
                    url = _next_hop(url, response.headers.get("location", ""), "" if file and away else start)
                    headers = own if _same_place(url, start) else {}
                    continue
                if not 200 <= status < 300:
                    raise self._refused(status, response.headers, url, repo, with_token=bool(headers))
                body = bytearray()
                for chunk in response.iter_bytes(65536):
                    body += chunk
                    if len(body) > limit_bytes:
                        if not cut:
                            raise not_understood(f"more than {limit_bytes} bytes")
                        return Answer(bytes(body[:limit_bytes]), url, "", False)
                    if time.monotonic() > ends:
                        raise ServerTrouble("Hugging Face answers too slowly. Try again later.", detail="slow body")
                return Answer(bytes(body), url, _cursor(response.links), True)
        raise not_understood("redirected too often")

    def _refused(self, status: int, headers: Mapping[str, str], url: str, repo: str, *, with_token: bool) -> HubError:
        if not _same_place(url, self.endpoint):
            return ServerTrouble(
                "The server with this file does not give it. Try again later.", detail=f"HTTP {status}"
            )
        sent = with_token and self._gate.carries_token(url)
        return from_answer(
            status,
            headers,
            repo=repo,
            page=self.page(repo) if repo else "",
            with_token=sent,
            kept_from=urlsplit(url).netloc if with_token and not sent else "",
        )


def _same_place(url: str, other: str) -> bool:
    try:
        return urlsplit(url)[:2] == urlsplit(other)[:2]
    except ValueError:
        return False


def _next_hop(url: str, location: str, start: str) -> str:
    """Where a redirect leads: to the same place as `start`, or anywhere for ''."""
    try:
        joined = urljoin(url, location)
        usable = bool(urlsplit(joined).hostname)
    except ValueError:
        joined, usable = "", False
    if not location or not usable or (start and not _same_place(joined, start)):
        raise not_understood("redirected to another place")
    return joined


def _cursor(links: object) -> str:
    """The query of the `next` link: its host is not believed, for a mirror may hand on the Hub's own."""
    following = links.get("next") if isinstance(links, dict) else None
    url = following.get("url") if isinstance(following, dict) else None
    if not isinstance(url, str) or len(url) > MAX_CURSOR:
        return ""
    try:
        return urlsplit(url).query
    except ValueError:
        return ""
