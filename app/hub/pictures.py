"""Fetches one picture of a model card, which may lie anywhere: from a stranger, so only its size and kind are trusted.

The caller is inside an action of the gate for pictures; the person allowed it for this card.
"""

from __future__ import annotations

import time

from app.hub.errors import NotFound, NotUnderstood, ServerTrouble
from app.privacy.gate import Gate

MAX_BYTES = 8 * 1024 * 1024
TOTAL_S = 30.0
MAX_ADDRESS = 2000
KINDS = ("image/png", "image/jpeg", "image/gif", "image/webp")


def fetch_picture(gate: Gate, url: str) -> bytes:
    """The bytes of a picture of one of KINDS. Raises HubError and NetworkError."""
    if len(url) > MAX_ADDRESS:
        raise NotFound("The address of this picture is too long.", detail="address")
    ends = time.monotonic() + TOTAL_S
    with gate.client().stream("GET", url, headers={"Accept": ", ".join(KINDS)}, follow_redirects=True) as response:
        if response.status_code != 200:
            raise NotFound("This picture is not there any more.", detail=f"HTTP {response.status_code}")
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in KINDS:
            raise NotUnderstood("This picture is of a kind that is not shown.", detail=kind[:60])
        body = bytearray()
        for chunk in response.iter_bytes(65536):
            body += chunk
            if len(body) > MAX_BYTES:
                raise NotUnderstood("This picture is too large.", detail=f"more than {MAX_BYTES} bytes")
            if time.monotonic() > ends:
                raise ServerTrouble("This picture comes too slowly.", detail="slow body")
    return bytes(body)
