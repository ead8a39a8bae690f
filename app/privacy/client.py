"""The HTTP client that everyone shares: httpx2's, with nothing it keeps and no error but ours."""

from __future__ import annotations

from typing import Any

import httpx2

from app.privacy.errors import AnswerUnusable
from app.privacy.translate import translated
from app.privacy.transport import TIMEOUTS_S


class Client(httpx2.Client):
    """What the transport cannot see, too, becomes an error of ours: an endless redirect, a broken address."""

    def __init__(self, transport: httpx2.BaseTransport, *, user_agent: str, max_redirects: int) -> None:
        super().__init__(
            transport=transport,
            trust_env=False,
            follow_redirects=False,
            max_redirects=max_redirects,
            timeout=httpx2.Timeout(**TIMEOUTS_S),
            headers={"User-Agent": user_agent, "Accept-Encoding": "gzip"},
        )

    def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """As httpx2's. Raises a NetworkError."""
        host = request.url.host
        try:
            return super().send(request, **options)
        except httpx2.TooManyRedirects as error:
            raise AnswerUnusable(f"{host} sends us around in circles.", detail=str(error), host=host) from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise translated(error, host) from error
