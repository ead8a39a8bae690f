"""A tree in memory follows the same rules as the store's."""

from __future__ import annotations

from app.chat.messages import Message, Role
from app.chat.tree import Tree


def message(id: str, parent: str | None, role: Role = Role.USER, text: str = "") -> Message:
    return Message(id=id, conversation_id="c", parent_id=parent, role=role, text=text or id)


def tree() -> Tree:
    return Tree(
        [
            message("1", None),
            message("2", "1", Role.ASSISTANT),
            message("3", "2"),
            message("4", "3", Role.ASSISTANT, "a\nb"),
            message("5", "1", Role.ASSISTANT),
        ]
    )


def test_the_newest_message_is_shown() -> None:
    assert [entry.id for entry in tree().entries()] == ["1", "5"]


def test_siblings_are_in_order_of_age() -> None:
    assert tree().siblings("5") == ["2", "5"]
    assert [(entry.sibling, entry.siblings) for entry in tree().entries()] == [(0, 1), (1, 2)]


def test_choosing_leads_to_the_newest_leaf_below() -> None:
    chosen = tree()
    chosen.choose("2")
    assert [entry.id for entry in chosen.entries()] == ["1", "2", "3", "4"]
    assert (chosen.entries()[-1].length, chosen.entries()[-1].newlines) == (3, 1)


def test_another_root_is_a_sibling_of_the_first() -> None:
    edited = tree()
    edited.add(message("6", None))
    assert edited.siblings("1") == ["1", "6"]
    assert [m.id for m in edited.path_to("6")] == ["6"]
