"""Pictures of cards: only what was asked for, only images, each on its own, and given up with the card."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.privacy.gate import Gate
from app.privacy.ledger import Outcome
from app.privacy.policy import Policy
from app.services.changes import PictureAnswered, Publisher
from app.services.jobs import Jobs
from app.services.pictures import MOST, Pictures
from tests.privacy.servers import Answer, Server, closing
from tests.support.application import Recorder
from tests.support.processes import until

PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 100


class World:
    """A server of pictures that is also the Hub, since others on this computer may not be asked from afar."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.online = True
        self.gate = Gate(lambda: Policy(online=self.online, hub=server.origin))
        self.jobs = Jobs()
        publisher = Publisher()
        self.told = Recorder()
        publisher.subscribe(self.told)
        self.pictures = Pictures(self.gate, publisher, self.jobs)


@pytest.fixture
def world() -> Iterator[World]:
    server = Server()
    with closing(server):
        made = World(server)
        yield made
        made.pictures.stop()
        made.gate.close()
        made.jobs.close()


def test_each_that_is_a_picture_is_told(world: World) -> None:
    origin = world.server.origin
    world.server.answers["/a.png"] = Answer(body=PNG, headers={"Content-Type": "image/png"})
    world.server.answers["/b.svg"] = Answer(body=b"<svg/>", headers={"Content-Type": "image/svg+xml"})
    world.server.answers["/c.html"] = Answer(body=b"<p>", headers={"Content-Type": "text/html"})
    world.server.answers["/d.gif"] = Answer(body=b"GIF89a", headers={"Content-Type": "image/gif; x=y"})
    world.pictures.show("acme/tiny", [f"{origin}/{name}" for name in ("a.png", "b.svg", "none.png", "c.html", "d.gif")])
    last = world.told.wait_for(PictureAnswered, lambda change: change.address.endswith("d.gif"))
    assert last.data == b"GIF89a"
    assert [change.address for change in world.told.of(PictureAnswered)] == [f"{origin}/a.png", f"{origin}/d.gif"]
    assert world.told.of(PictureAnswered)[0].data == PNG


def test_one_action_for_all_of_a_card(world: World) -> None:
    world.server.answers["/a.png"] = Answer(body=PNG, headers={"Content-Type": "image/png"})
    world.pictures.show("acme/tiny", [f"{world.server.origin}/a.png"] * (MOST + 10))
    until(lambda: len(world.told.of(PictureAnswered)) == MOST, "all that are fetched at most")
    entries = world.gate.ledger.take()
    assert {entry.what for entry in entries} == {"Pictures in the card of acme/tiny"}
    assert {entry.outcome for entry in entries} == {Outcome.ALLOWED}


def test_offline_nothing_is_asked(world: World) -> None:
    world.online = False
    world.pictures.show("acme/tiny", [f"{world.server.origin}/a.png"])
    world.jobs.close()
    assert world.server.seen == []
    assert world.told.of(PictureAnswered) == []


def test_too_large_is_left_out(world: World) -> None:
    world.server.answers["/big.png"] = Answer(body=bytes(9 * 1024 * 1024), headers={"Content-Type": "image/png"})
    world.server.answers["/a.png"] = Answer(body=PNG, headers={"Content-Type": "image/png"})
    world.pictures.show("acme/tiny", [f"{world.server.origin}/{name}" for name in ("big.png", "a.png")])
    assert world.told.wait_for(PictureAnswered).address.endswith("/a.png")
