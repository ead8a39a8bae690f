"""Adapters of conversations: found among the models, checked, sent with every reply, and kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.base.paths import find_places
from app.engine.errors import AdapterMisfit
from app.engine.values import Adapter
from app.services.changes import ContextChanged, LibraryChanged
from app.services.errors import NotAllowed
from app.services.sending import Choices
from tests.support import tiny_adapters, tiny_models
from tests.support.application import reply, running

pytestmark = pytest.mark.usefixtures("starter_model")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The person's models: one, and two adapters of which one belongs to it."""
    path = tmp_path / "home" / "models"
    path.mkdir(parents=True)
    tiny_models.dense(path / "tiny.gguf")
    tiny_adapters.write(path / "pirate.gguf", general__name="Pirate", general__base_model__0__name="Tiny")
    tiny_adapters.write(path / "other.gguf", general__name="Other", architecture="gemma2")
    return path


def test_adapters_are_listed_apart(folder: Path) -> None:
    with running() as (app, seen):
        assert [Path(model.path).name for model in app.library.list()][:-1] == ["tiny.gguf"]
        listed = app.adapters.found()
        assert [(one.name, one.architecture, one.base, one.problem) for one in listed] == [
            ("Other", "gemma2", "", ""),
            ("Pirate", "llama", "Tiny", ""),
        ]
        assert listed[1].size_bytes == (folder / "pirate.gguf").stat().st_size
        assert sum(place.models for place in app.library.places()) == 1
        since = len(seen.changes)
        tiny_adapters.write(folder / "a.gguf", adapter__type="control_vector")
        app.library.refresh()
        seen.wait_for(LibraryChanged, since=since)
        (wrong,) = (one for one in app.adapters.found() if one.path.endswith("a.gguf"))
        assert "of another kind" in wrong.problem


def test_looking_says_whether_an_adapter_belongs_to_the_model(folder: Path) -> None:
    with running() as (app, _):
        tiny = next(model.id for model in app.library.list() if not model.is_starter)
        paths = [str(folder / name) for name in ("pirate.gguf", "other.gguf", "tiny.gguf", "gone.gguf")]
        first, second, third, fourth = app.adapters.look(paths, tiny).result(10)
        assert (first.problem, first.name) == ("", "Pirate")
        assert "made for models of the kind gemma2, and this model is of the kind llama" in second.problem
        assert "not a LoRA adapter" in third.problem
        assert "no longer there" in fourth.problem
        (starter,) = app.adapters.look(paths[:1], app.library.list()[-1].id).result(10)
        assert "its parts are of another size" in starter.problem, "the same kind, and another model"


def test_an_adapter_is_named_by_file_or_name_with_a_scale(folder: Path, tmp_path: Path) -> None:
    with running() as (app, _):
        path = str(folder / "pirate.gguf")
        named = [app.adapters.named(what) for what in (path, f"{path}:0.5", "pirate", "Pirate:2")]
        assert named == [Adapter(path=path, scale=scale) for scale in (1.0, 0.5, 1.0, 2.0)]
        for wrong in ("pirate:3", "pirate:-1", "pirate:nan"):
            with pytest.raises(NotAllowed, match="from 0 to 2"):
                app.adapters.named(wrong)
        with pytest.raises(AdapterMisfit, match="no longer there"):
            app.adapters.named("nothing:0.5")
        with pytest.raises(AdapterMisfit, match="not a LoRA adapter"):
            app.adapters.named(str(folder / "tiny.gguf"))


def test_a_conversation_keeps_its_adapters_and_replies_tell_theirs(folder: Path) -> None:
    places = find_places()
    one = (Adapter(path=str(folder / "pirate.gguf"), scale=0.75),)
    script = {"replies": [reply("Arr.")]}
    with running(script, places=places) as (app, seen):
        sent = app.sending.send(None, "Hello", choices=Choices(adapters=one))
        facts = seen.end_of(sent.reply_id).facts
        assert facts is not None
        assert facts.adapters == one
    with running(script, places=places) as (app, seen):
        conversation = app.conversations.find("last")
        assert conversation.adapters == one
        assert app.conversations.message(sent.reply_id).facts == facts
        again = seen.end_of(app.sending.send(conversation.id, "Go on").reply_id).facts
        assert again is not None
        assert again.generation is not None
        assert again.generation.cached_tokens > 3, "its snapshot is of the same adapters"
        copy = app.sending.send(conversation.id, "In secret", temporary=True)
        since = len(seen.changes)
        app.conversations.configure(conversation.id, adapters=())
        seen.wait_for(ContextChanged, lambda change: change.conversation_id == conversation.id, since)
        without = app.sending.send(conversation.id, "And without")
        secret, plain = (seen.end_of(one.reply_id).facts for one in (copy, without))
        assert secret is not None
        assert plain is not None
        assert (secret.adapters, plain.adapters) == (one, ())
        assert plain.generation is not None
        assert plain.generation.cached_tokens == plain.generation.shifted_tokens == plain.reread_tokens == 0
        assert app.conversations.find("last").adapters == ()


def test_an_adapter_that_cannot_be_used_fails_the_reply_in_plain_words(folder: Path) -> None:
    gone = Adapter(path=str(folder / "gone.gguf"))
    with running({"replies": [reply("Well.")]}) as (app, seen):
        sent = app.sending.send(None, "Hello", choices=Choices(adapters=(gone,)))
        failed = seen.end_of(sent.reply_id).facts
        assert failed is not None
        assert failed.error_sentence.startswith("The adapter gone.gguf is no longer there.")
        since = len(seen.changes)
        app.conversations.configure(sent.conversation_id, adapters=())
        seen.wait_for(ContextChanged, since=since)
        fine = seen.end_of(app.sending.regenerate(sent.reply_id)).facts
        assert fine is not None
        assert fine.error_code == ""
