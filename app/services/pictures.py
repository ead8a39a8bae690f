"""Pictures of a model card, fetched because the person asked for them: one action of the gate for all of one card."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from app.base.errors import InglenookError
from app.hub.pictures import fetch_picture
from app.privacy.errors import Cancelled, Offline
from app.privacy.gate import Gate
from app.privacy.policy import Action, Purpose
from app.services.changes import PictureAnswered, Publisher
from app.services.jobs import PICTURES, Jobs

log = logging.getLogger(__name__)

MOST = 24


class Pictures:
    """All methods may be called from any thread and return at once."""

    def __init__(self, gate: Gate, publisher: Publisher, jobs: Jobs) -> None:
        self._gate = gate
        self._publisher = publisher
        self._jobs = jobs
        self._action: Action | None = None
        self._wanted = ""

    def show(self, repo: str, addresses: Sequence[str]) -> None:
        """Fetches at most MOST pictures, one after the other; each is published when it is there, and one that cannot
        be had is left out. What was wanted for another card is given up."""
        self.stop()
        self._wanted = repo
        wanted = [*addresses[:MOST]]
        self._jobs.start(PICTURES, lambda: self._fetch(repo, wanted, lambda: self._wanted == repo))

    def stop(self) -> None:
        """Gives up what is under way."""
        action, self._action, self._wanted = self._action, None, ""
        if action is not None:
            self._gate.cancel(action)

    def _fetch(self, repo: str, addresses: Sequence[str], still: Callable[[], bool]) -> None:
        try:
            with self._gate.action(Purpose.CARD_IMAGE, f"Pictures in the card of {repo}") as action:
                self._action = action
                for address in addresses:
                    if not still() or self._jobs.ending.is_set():
                        return
                    self._one(repo, address)
        except (Cancelled, Offline):
            return

    def _one(self, repo: str, address: str) -> None:
        try:
            data = fetch_picture(self._gate, address)
        except (Cancelled, Offline):
            raise
        except InglenookError as error:
            log.info("a picture of a card was left out: %s", error.code)
            return
        self._publisher.publish(PictureAnswered(repo=repo, address=address, data=data))
