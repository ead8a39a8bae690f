"""What of a conversation goes into a prompt."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.chat.messages import Message, ReplyFacts, ReplyState, Role
from app.chat.prompt import GAP, INSTRUCTIONS, NOTE, NOTE_HEADING, Part, Prompt, build_prompt


def message(id: str, role: Role, text: str, **more: object) -> Message:
    return Message(id=id, conversation_id="c", parent_id=None, role=role, text=text, **more)  # type: ignore[arg-type]


def user(id: str, text: str) -> Message:
    return message(id, Role.USER, text)


def reply(id: str, text: str, **more: object) -> Message:
    return message(id, Role.ASSISTANT, text, **more)


def ids(prompt: Prompt) -> list[list[str]]:
    return [[part.id for part in parts] for parts in prompt.parts]


def test_roles_order_and_system_prompt() -> None:
    prompt = build_prompt([user("1", "Hi"), reply("2", "Hello"), user("3", "How?")], "  Be kind. ")
    assert [(m.role, m.content) for m in prompt.messages] == [
        ("system", "Be kind."),
        ("user", "Hi"),
        ("assistant", "Hello"),
        ("user", "How?"),
    ]
    assert ids(prompt) == [[INSTRUCTIONS], ["1"], ["2"], ["3"]]


def test_no_system_message_without_a_system_prompt() -> None:
    assert [m.role for m in build_prompt([user("1", "Hi")], "  \n").messages] == ["user"]


def test_sampled_tokens_go_along_when_they_are_the_text() -> None:
    facts = ReplyFacts(token_ids=[7, 8], tokenizer="vocab")
    prompt = build_prompt([user("1", "Hi"), reply("2", "Hello", facts=facts), user("3", "x")])
    assert (prompt.messages[1].token_ids, prompt.messages[1].tokenizer) == ([7, 8], "vocab")


def test_thinking_is_not_included_and_its_tokens_neither() -> None:
    facts = ReplyFacts(token_ids=[7, 8, 9], tokenizer="vocab")
    prompt = build_prompt([user("1", "Hi"), reply("2", "Hello", thinking="Hm", facts=facts), user("3", "x")])
    assert (prompt.messages[1].content, prompt.messages[1].thinking, prompt.messages[1].token_ids) == ("Hello", "", [])


def test_a_lost_reply_is_read_as_text() -> None:
    facts = ReplyFacts(token_ids=[7], tokenizer="vocab")
    prompt = build_prompt([user("1", "Hi"), reply("2", "Hel", state=ReplyState.LOST, facts=facts), user("3", "x")])
    assert prompt.messages[1].content == "Hel"
    assert prompt.messages[1].token_ids == []


def test_questions_around_an_empty_reply_are_joined() -> None:
    prompt = build_prompt([user("1", "Hi"), reply("2", "", state=ReplyState.STOPPED), user("3", "Anyone?")])
    assert [(m.role, m.content) for m in prompt.messages] == [("user", "Hi\n\nAnyone?")]
    assert ids(prompt) == [["1", "3"]]


def test_a_note_follows_the_instructions_in_the_same_message() -> None:
    prompt = build_prompt([user("1", "Hi")], "Be kind.", note=" We greeted. ")
    assert [(m.role, m.content) for m in prompt.messages] == [
        ("system", f"Be kind.\n\n{NOTE_HEADING}We greeted."),
        ("user", "Hi"),
    ]
    assert ids(prompt) == [[INSTRUCTIONS, NOTE], ["1"]]
    assert ids(build_prompt([user("1", "Hi")], note="We greeted.")) == [[NOTE], ["1"]]


def test_turns_alternate_whatever_is_left_out() -> None:
    path = [user("1", "a"), reply("2", "b"), user("3", "c"), reply("4", "d"), user("5", "e")]
    prompt = build_prompt([message for message in path if message.role is Role.ASSISTANT or message.id == "5"])
    assert [(m.role, m.content) for m in prompt.messages] == [
        ("user", GAP), ("assistant", "b"), ("user", GAP), ("assistant", "d"), ("user", "e"),
    ]  # fmt: skip
    assert ids(prompt) == [["2"], ["2"], ["4"], ["4"], ["5"]]


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(["", "x", "some words"])), max_size=12), st.data())
def test_every_template_gets_turns_and_every_token_has_an_owner(
    told: list[tuple[bool, str]], data: st.DataObject
) -> None:
    path = [
        user(str(number), text or "?") if by_person else reply(str(number), text)
        for number, (by_person, text) in enumerate(told)
    ]
    gone = data.draw(st.sets(st.sampled_from([m.id for m in path]))) if path else set()
    kept = [m for m in path if m.id not in gone]
    prompt = build_prompt(kept, "Be kind.", note=data.draw(st.sampled_from(["", "A note."])))
    roles = [m.role for m in prompt.messages]
    assert roles[0] == "system"
    assert all(role == ("user", "assistant")[place % 2] for place, role in enumerate(roles[1:]))
    spans = data.draw(st.lists(st.integers(0, 50), min_size=len(roles), max_size=len(roles)))
    tokens = prompt.tokens(spans)
    assert sum(tokens.values()) == sum(spans)
    assert {owner for owner in tokens if owner not in (INSTRUCTIONS, NOTE)} == {m.id for m in kept if m.text}


def test_joined_messages_share_their_tokens_by_length() -> None:
    prompt = Prompt(messages=[], parts=[(Part("a", 30), Part("b", 10)), (Part("c", 0),)])
    assert prompt.tokens([41, 3]) == {"a": 30, "b": 11, "c": 3}
