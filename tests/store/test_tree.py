"""Whatever a person does, in any order: the path is consistent and nothing is overwritten."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.base.paths import Places
from app.chat.messages import ReplyState, Role
from app.store.store import Store, open_store
from tests.store.making import asked, conversation, reply_to


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder: Path = tmp_path_factory.mktemp("tree")
    store = open_store(Places(folder, folder / "logs"))
    yield store
    assert store.check() == []
    store.close()


@dataclass
class Expected:
    """The tree as it should be, in plain Python."""

    parents: dict[str, str | None] = field(default_factory=dict)  # in order of age
    texts: dict[str, str] = field(default_factory=dict)
    leaf: str | None = None

    def children(self, parent: str | None) -> list[str]:
        return [node for node, p in self.parents.items() if p == parent]

    def path(self) -> list[str]:
        path, step = [], self.leaf
        while step is not None:
            path.append(step)
            step = self.parents[step]
        return path[::-1]

    def newest_below(self, top: str) -> str:
        inside, newest = {top}, top
        for other, parent in self.parents.items():
            if parent in inside:
                inside.add(other)
                newest = other
        return newest


ACTIONS = st.lists(
    st.tuples(st.sampled_from(["send", "edit", "regenerate", "choose"]), st.integers(0, 1000), st.text(max_size=20)),
    min_size=1,
    max_size=14,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=ACTIONS)
def test_any_sequence_of_actions(shared: Store, actions: list[tuple[str, int, str]]) -> None:
    new = conversation()
    shared.conversations.create(new).result()
    tree = Expected()
    roles: dict[str, Role] = {}

    def turn(parent: str | None, text: str) -> None:
        user = asked(new.id, parent, text)
        reply = reply_to(user)
        shared.messages.add_turn(None, user, reply).result()
        answer(reply.id, text)
        tree.parents[user.id], tree.texts[user.id] = parent, text
        tree.parents[reply.id] = user.id
        tree.leaf = reply.id
        roles[user.id], roles[reply.id] = Role.USER, Role.ASSISTANT

    def answer(id: str, text: str) -> None:
        shared.messages.append(id, 0, text[::-1]).result()
        shared.messages.finish(id, text[::-1], "", ReplyState.DONE, None).result()
        tree.texts[id] = text[::-1]

    for action, number, text in actions:
        users = [node for node, role in roles.items() if role is Role.USER]
        if action == "send" or not users:
            turn(tree.leaf, text)
        elif action == "edit":
            turn(tree.parents[users[number % len(users)]], text)
        elif action == "regenerate":
            reply = reply_to(shared.messages.get(users[number % len(users)]))
            shared.messages.add_reply(reply).result()
            tree.parents[reply.id], tree.leaf, roles[reply.id] = reply.parent_id, reply.id, Role.ASSISTANT
            answer(reply.id, text)
        else:
            chosen = list(tree.parents)[number % len(tree.parents)]
            shared.messages.choose(new.id, chosen).result()
            tree.leaf = tree.newest_below(chosen)

        path = shared.messages.path(new.id)
        assert [entry.id for entry in path] == tree.path()
        for entry in path:
            siblings = tree.children(tree.parents[entry.id])
            assert shared.messages.siblings(entry.id) == siblings
            assert (entry.siblings, siblings[entry.sibling]) == (len(siblings), entry.id)
            assert (entry.length, entry.role) == (len(tree.texts[entry.id]), roles[entry.id])
        assert [m.id for m in shared.messages.prompt_path(path[-1].id)] == tree.path()

    stored = shared.messages.get_many(list(tree.parents))
    assert {m.id: m.text for m in stored} == tree.texts
    assert {m.id: m.parent_id for m in stored} == tree.parents
