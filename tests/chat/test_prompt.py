"""What of a conversation goes into a prompt."""

from __future__ import annotations

from app.chat.messages import Message, ReplyFacts, ReplyState, Role
from app.chat.prompt import build_prompt


def message(id: str, role: Role, text: str, **more: object) -> Message:
    return Message(id=id, conversation_id="c", parent_id=None, role=role, text=text, **more)  # type: ignore[arg-type]


def user(id: str, text: str) -> Message:
    return message(id, Role.USER, text)


def reply(id: str, text: str, **more: object) -> Message:
    return message(id, Role.ASSISTANT, text, **more)


def test_roles_order_and_system_prompt() -> None:
    prompt = build_prompt([user("1", "Hi"), reply("2", "Hello"), user("3", "How?")], "  Be kind. ")
    assert [(m.role, m.content) for m in prompt.messages] == [
        ("system", "Be kind."),
        ("user", "Hi"),
        ("assistant", "Hello"),
        ("user", "How?"),
    ]
    assert prompt.ids == ["", "1", "2", "3"]


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
    assert prompt.ids == ["3"]


def test_leaving_out() -> None:
    path = [user("1", "a"), reply("2", "b"), user("3", "c")]
    assert build_prompt(path, leave_out={"1", "2"}).ids == ["3"]
