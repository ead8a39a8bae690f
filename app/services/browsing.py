"""Looking around on the Hub: searching as one types, a model's page, its card. The newest wish wins, older ones go.

`search`, `more`, `open_model` and `open_card` return at once and answer by changes. `find`, `look`, `read` and `newer`
do the same for the command line and wait. Every request belongs to an action of the gate, which is cancelled when
nobody wants it any more. Waiting until somebody stops typing is the front's business.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from app.base.errors import InglenookError
from app.hub.catalog import Catalog
from app.hub.curated import first_choices
from app.hub.errors import HubError, RateLimited
from app.hub.families import FAMILIES
from app.hub.licences import Licence, Licences
from app.hub.values import FirstChoice, ModelPage, ModelSummary, SearchQuery, Variant
from app.hub.variants import pick
from app.privacy.errors import Cancelled
from app.privacy.gate import Gate
from app.privacy.policy import Purpose
from app.services.advice import no_version
from app.services.changes import (
    CardAnswered,
    Change,
    ModelAnswered,
    ModelFailed,
    Publisher,
    SearchAnswered,
    SearchFailed,
)
from app.services.errors import NoSuchThing, ServiceError
from app.services.jobs import BROWSING, Jobs
from app.services.wishes import Newest, Results

log = logging.getLogger(__name__)

THREADS = 3
WANTED = 20  # results of one turn, before it stops asking for the next page by itself
MAX_PAGES = 8  # of one turn, however few results they bring
KEPT_PAGES = 32

_Turn = tuple[Callable[[], None], Callable[[InglenookError], None]]


class Browsing:
    """All methods may be called from any thread."""

    def __init__(
        self, catalog: Catalog, licences: Licences, gate: Gate, publisher: Publisher, jobs: Jobs, resources: Path
    ) -> None:
        self._catalog = catalog
        self._licences = licences
        self._gate = gate
        self._publisher = publisher
        self._jobs = jobs
        self._resources = resources
        self._lock = threading.Lock()
        self._turns: queue.SimpleQueue[_Turn | None] = queue.SimpleQueue()
        self._threads = 0
        self._closed = False
        self._searching, self._opening, self._reading = Newest(gate), Newest(gate), Newest(gate)
        self._results: Results | None = None
        self._pages: OrderedDict[tuple[str, str], ModelPage] = OrderedDict()

    # --- known without asking ---------------------------------------------------------------------------------------

    def first_choices(self, memory_bytes: int = 0) -> list[FirstChoice]:
        """Good first models: those for at most this much memory, the most able first; all of them for 0."""
        listed = first_choices(self._resources)
        return [one for one in reversed(listed) if one.memory_bytes <= memory_bytes] if memory_bytes else listed

    def families(self) -> list[str]:
        """What `SearchQuery.family` may be."""
        return [family.name for family in FAMILIES]

    def licences(self) -> list[Licence]:
        """What `SearchQuery.license` may be, by id."""
        return self._licences.known()

    # --- for the window ---------------------------------------------------------------------------------------------

    def search(self, query: SearchQuery) -> int:
        """Begins a search and gives up the one before. Its answers carry the number that is returned."""
        number = self._searching.begin()
        results = Results(number, query)
        with self._lock:
            self._results = results
        self._run(lambda: self._search_turn(results), lambda error: self._search_failed(results, error))
        return number

    def more(self) -> bool:
        """Asks for further results of the last search; False when there are none or they are on their way."""
        with self._lock:
            results = self._results
            if results is None or results.busy or not results.more or not self._searching.holds(results.number):
                return False
            results.busy = True
        self._run(lambda: self._search_turn(results), lambda error: self._search_failed(results, error))
        return True

    def stop_search(self) -> None:
        """Gives up the search; what it has found stays where it was shown."""
        self._searching.begin()

    def open_model(self, repo: str, revision: str = "", *, fresh: bool = False) -> None:
        """Reads a repository and gives up the one before. `fresh` asks again what was asked lately."""
        number = self._opening.begin()
        kept = None if fresh else self._kept(repo, revision)
        if kept is not None:
            self._publisher.publish(ModelAnswered(repo=repo, revision=revision, page=kept))
        else:
            self._run(
                lambda: self._model_turn(number, repo, revision),
                lambda error: self._failed(self._opening, number, repo, revision, error),
            )

    def open_card(self, repo: str, revision: str = "") -> None:
        """Reads a model's card and gives up the one before."""
        number = self._reading.begin()
        self._run(
            lambda: self._card_turn(number, repo, revision),
            lambda error: self._failed(self._reading, number, repo, revision, error),
        )

    def close(self) -> None:
        """Gives up everything. Idempotent."""
        with self._lock:
            self._closed, threads = True, self._threads
        for newest in (self._searching, self._opening, self._reading):
            newest.begin()
        for _ in range(threads):
            self._turns.put(None)

    # --- for the command line ---------------------------------------------------------------------------------------

    def find(self, query: SearchQuery, limit: int = 20) -> list[ModelSummary]:
        """Up to `limit` results. Raises HubError and NetworkError."""
        results = Results(0, query)
        found: list[ModelSummary] = []
        with self._gate.action(Purpose.SEARCH, _what(query)):
            for _ in range(MAX_PAGES):
                page = self._catalog.search(query, results.cursor)
                found += results.take(page.models, page.cursor)
                if len(found) >= limit or not results.more:
                    break
        return found[:limit]

    def look(self, repo: str, revision: str = "") -> ModelPage:
        """A repository's page. Raises HubError and NetworkError."""
        with self._gate.action(Purpose.MODEL, f"Look at {repo}"):
            return self._keep(repo, revision, self._catalog.model(repo, revision))

    def pick(self, page: ModelPage, wanted: str = "") -> Variant:
        """The variant that `wanted` names, the usual one for ''. Raises NoSuchThing, which says what there is."""
        found = pick(page.variants, wanted)
        if found is None:
            raise NoSuchThing(no_version(page, wanted, self.first_choices()))
        return found

    def read(self, repo: str, revision: str = "") -> str:
        """A model's card as Markdown. Raises HubError and NetworkError."""
        with self._gate.action(Purpose.CARD, f"Read the card of {repo}"):
            return self._catalog.card(repo, revision)

    def newer(self, repo: str, commit: str) -> str:
        """The commit of a newer upload, or ''. Raises HubError and NetworkError."""
        with self._gate.action(Purpose.UPDATE, f"Look for a newer upload of {repo}"):
            return self._catalog.newer(repo, commit)

    # --- threads ----------------------------------------------------------------------------------------------------

    def _search_turn(self, results: Results) -> None:
        """Asks for pages until this turn has enough, or there are no more, or too many without a result."""
        with self._gate.action(Purpose.SEARCH, _what(results.query)) as action:
            if not self._searching.entered(results.number, action):
                return
            found = 0
            for asked in range(1, MAX_PAGES + 1):
                page = self._catalog.search(results.query, results.cursor)
                if not self._searching.holds(results.number):
                    return
                new = results.take(page.models, page.cursor)
                found += len(new)
                done = found >= WANTED or not results.more or asked == MAX_PAGES
                results.busy = not done
                if new or done:
                    first, results.begun = not results.begun, True
                    self._publish(
                        SearchAnswered(number=results.number, models=new, first=first, more=results.more, done=done)
                    )
                if done:
                    return

    def _search_failed(self, results: Results, error: InglenookError) -> None:
        if self._searching.holds(results.number):
            results.busy = False
            self._publish(
                SearchFailed(
                    number=results.number,
                    code=error.code,
                    sentence=error.sentence,
                    detail=error.detail,
                    seconds=_seconds(error),
                )
            )

    def _model_turn(self, number: int, repo: str, revision: str) -> None:
        with self._gate.action(Purpose.MODEL, f"Look at {repo}") as action:
            if not self._opening.entered(number, action):
                return
            page = self._keep(repo, revision, self._catalog.model(repo, revision))
        if self._opening.holds(number):
            self._publish(ModelAnswered(repo=repo, revision=revision, page=page))

    def _card_turn(self, number: int, repo: str, revision: str) -> None:
        with self._gate.action(Purpose.CARD, f"Read the card of {repo}") as action:
            if not self._reading.entered(number, action):
                return
            card = self._catalog.card(repo, revision)
        if self._reading.holds(number):
            self._publish(CardAnswered(repo=repo, revision=revision, card=card))

    def _failed(self, wish: Newest, number: int, repo: str, revision: str, error: InglenookError) -> None:
        if wish.holds(number):
            self._publish(
                ModelFailed(
                    repo=repo,
                    revision=revision,
                    card=wish is self._reading,
                    code=error.code,
                    sentence=error.sentence,
                    detail=error.detail,
                    link=error.page if isinstance(error, HubError) else "",
                    seconds=_seconds(error),
                )
            )

    def _publish(self, change: Change) -> None:
        if not self._closed:
            self._publisher.publish(change)

    def _run(self, turn: Callable[[], None], failed: Callable[[InglenookError], None]) -> None:
        """Hands a turn to the threads, which are started with the first ones. One that waits for a silent server leaves
        the others free for what is wanted now."""
        with self._lock:
            if self._closed:
                return
            self._turns.put((turn, failed))
            if self._threads < THREADS:
                self._threads += 1
                self._jobs.start(f"{BROWSING}-{self._threads}", self._work)

    def _work(self) -> None:
        while (task := self._turns.get()) is not None and not self._closed:
            turn, failed = task
            try:
                turn()
            except Cancelled:
                pass  # another wish took its place
            except InglenookError as error:
                failed(error)
            except Exception:  # the edge of this thread: one bad answer must not cost the others
                log.exception("browsing failed")
                failed(ServiceError("Something went wrong inside Inglenook. The log says what."))

    def _kept(self, repo: str, revision: str) -> ModelPage | None:
        with self._lock:
            return self._pages.get((repo, revision))

    def _keep(self, repo: str, revision: str, page: ModelPage) -> ModelPage:
        with self._lock:
            self._pages[repo, revision] = page
            self._pages.move_to_end((repo, revision))
            while len(self._pages) > KEPT_PAGES:
                self._pages.popitem(last=False)
        return page


def _seconds(error: InglenookError) -> int:
    return error.seconds if isinstance(error, RateLimited) else 0


def _what(query: SearchQuery) -> str:
    """The person's action in words, for the ledger."""
    text = " ".join(query.text.split())[:200]
    if text:
        return f"Search for “{text}”"
    return f"Look through {query.family} models" if query.family else "Look through models"
