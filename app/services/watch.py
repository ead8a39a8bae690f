"""Notices what other processes wrote into the same database, and tries again what the disk refused.

About once a second, on a thread of its own. What this process wrote itself is not told a second time: SQLite's
data_version of the connection that writes changes only by others.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from app.base.errors import InglenookError
from app.chat.messages import Conversation
from app.services.changes import ConversationsChanged, PathChanged, Publisher
from app.services.ground import Ground
from app.services.jobs import WATCH, Jobs
from app.services.keeping import Keeping

log = logging.getLogger(__name__)

TICK_S = 1.0
RETRY_TICKS = 5

READ_TROUBLE = "not_read"

_Shown = dict[str, tuple[int, str | None, str]]


class Watch:
    """Publishes ConversationsChanged and PathChanged for others' writes."""

    def __init__(
        self,
        ground: Ground,
        keeping: Keeping,
        publisher: Publisher,
        jobs: Jobs,
        tick_s: float = TICK_S,
        others_wrote: Callable[[], None] = lambda: None,
    ) -> None:
        """`others_wrote` is called for whatever another process wrote."""
        self._ground = ground
        self._keeping = keeping
        self._publisher = publisher
        self._jobs = jobs
        self._tick_s = tick_s
        self._others_wrote = others_wrote
        self._version = -1
        self._shown: _Shown = {}
        self._growing: set[str] = set()

    def start(self) -> None:
        """Begins once the store is open."""
        store = self._ground.store
        self._version = store.data_version()
        self._shown = _shown(store.conversations.list())
        self._jobs.start(WATCH, self._run)

    def _run(self) -> None:
        ticks = 0
        while not self._jobs.ending.wait(self._tick_s):
            ticks += 1
            try:
                self._look()
                self._ground.trouble_over(READ_TROUBLE)
                if ticks % RETRY_TICKS == 0:
                    self._keeping.retry()
            except InglenookError as error:
                if not self._jobs.ending.is_set():
                    self._ground.trouble(error, READ_TROUBLE)

    def _look(self) -> None:
        store = self._ground.store
        version = store.data_version()
        if version == self._version:
            return
        self._version = version
        self._others_wrote()
        before, self._shown = self._shown, _shown(store.conversations.list())
        changed = {one for one in before.keys() | self._shown.keys() if before.get(one) != self._shown.get(one)}
        for one in changed & self._shown.keys():
            leaf_id = self._shown[one][1]
            if leaf_id is not None and store.messages.get(leaf_id).state.live:
                self._growing.add(one)  # a reply of another process: its growth touches no conversation
        if changed:
            self._publisher.publish(ConversationsChanged(ids=tuple(sorted(changed))))
        for one in sorted((changed | self._growing) & self._shown.keys()):
            self._publisher.publish(PathChanged(conversation_id=one))
        self._growing = {one for one in self._growing if self._still_live(one)}

    def _still_live(self, conversation_id: str) -> bool:
        leaf_id = self._shown.get(conversation_id, (0, None, ""))[1]
        return leaf_id is not None and self._ground.store.messages.get(leaf_id).state.live


def _shown(conversations: list[Conversation]) -> _Shown:
    return {c.id: (c.updated_ms, c.leaf_id, c.title) for c in conversations}
