"""`inglenook models` as people run it: a process of its own, a Hub on loopback, real files, real signals."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import tiny_models
from tests.support.command import ROOT, command, environment, inglenook, one_sentence, start
from tests.support.hub.files import Kind
from tests.support.hub.proxy import ForwardingProxy
from tests.support.hub.repository import Repository
from tests.support.hub.server import GOOD_TOKEN, Hub
from tests.support.processes import until
from tests.support.split import split_in_two

REPO = "acme/tiny-GGUF"
MIB = 1 << 20


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    folder = tmp_path / "sources"
    folder.mkdir()
    tiny_models.dense(folder / "tiny-Q4_1.gguf", seed=1)
    tiny_models.dense(folder / "tiny-Q8_0.gguf", seed=2)
    tiny_models.projector(folder / "mmproj-tiny-f16.gguf")
    split_in_two(folder / "tiny-Q8_0.gguf", folder, "tiny-BF16")
    return folder


@pytest.fixture
def hub(sources: Path) -> Iterator[Hub]:
    files: dict[str, Any] = {path.name: path for path in sources.iterdir()}
    about = {"total": 135_000_000, "architecture": "llama", "context_length": 4096}
    made = Hub([Repository(REPO, files, card="# Tiny", gguf=about, tags=("license:apache-2.0",), likes=7)])
    yield made
    made.close()


def models(home: Path, hub: Hub, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return inglenook(home, "models", *arguments, **{"HF_ENDPOINT": hub.url, **more})  # type: ignore[arg-type]


def json_of(home: Path, hub: Hub, *arguments: str, **more: str) -> Any:
    done = models(home, hub, *arguments, "--json", **more)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def own(home: Path, hub: Hub) -> list[dict[str, Any]]:
    return [model for model in json_of(home, hub, "list") if not model["is_starter"]]


# --- looking on the Hub ---------------------------------------------------------------------------------------------


def test_searching(home: Path, hub: Hub) -> None:
    found = json_of(home, hub, "search", "tiny")
    assert [(model["repo"], model["params"]) for model in found] == [(REPO, 135_000_000)]
    plain = models(home, hub, "search", "tiny").stdout
    assert REPO in plain
    assert "135 M, apache-2.0" in plain
    assert models(home, hub, "search", "nothing of this name").stdout == "Nothing was found.\n"
    assert json_of(home, hub, "search", "tiny", "--min-params", "1") == []
    wrong = models(home, hub, "search", "--family", "nobody")
    assert wrong.returncode == 2
    assert "Llama" in wrong.stderr


def test_showing(home: Path, hub: Hub) -> None:
    page = json_of(home, hub, "show", REPO)
    assert sorted(variant["name"] for variant in page["variants"]) == ["BF16", "Q4_1", "Q8_0"]
    assert page["usual"] in ("Q4_1", "Q8_0")
    assert set(page["fits"].values()) <= {"gpu", "memory"}
    assert page["projectors"][0]["path"] == "mmproj-tiny-f16.gguf"
    plain = models(home, hub, "show", REPO, "--card").stdout
    for words in (REPO, "Apache", page["commit"], "2 files", "the usual choice", "mmproj-tiny", "# Tiny"):
        assert words in plain
    assert "not on Hugging Face" in one_sentence(models(home, hub, "show", "acme/nothing"))
    assert one_sentence(models(home, hub, "show", "no-owner"))


def test_names_of_strangers_cannot_command_the_terminal(home: Path, hub: Hub) -> None:
    hub.repositories[REPO].replace("README.md", b"# Tiny\x1b]0;owned\x07")
    words = on_a_terminal(home, hub, "models", "show", REPO, "--card")[1]
    assert "owned" in words
    assert "\x1b]0" not in words


# --- getting --------------------------------------------------------------------------------------------------------


def test_pulling(home: Path, hub: Hub, sources: Path) -> None:
    got = json_of(home, hub, "pull", f"{REPO}:q4_1")
    path = Path(got["path"])
    assert path.is_relative_to(home / "models")
    assert sha256(path) == sha256(sources / "tiny-Q4_1.gguf")
    assert Path(got["projector"]).name == "mmproj-tiny-f16.gguf"
    assert (got["repo"], got["files"]) == (REPO, ["tiny-Q4_1.gguf", "mmproj-tiny-f16.gguf"])
    (model,) = own(home, hub)
    assert (model["id"], model["commit"], model["repo"]) == (got["model_id"], got["commit"], REPO)
    assert model["sha256"] == [sha256(path)]
    served = hub.cdn.served
    assert "is there" in models(home, hub, "pull", f"{REPO}:Q4_1").stdout
    assert hub.cdn.served == served
    without = json_of(home, hub, "pull", f"{REPO}:BF16", "--no-projector")
    assert [name.partition("-of-")[2] for name in without["files"]] == ["00002.gguf"] * 2
    assert len(own(home, hub)) == 2


def test_pulling_the_same_content_again_says_where_it_came_to(home: Path, hub: Hub, sources: Path) -> None:
    first = json_of(home, hub, "pull", f"{REPO}:Q4_1", "--no-projector")
    hub.add(Repository("other/copy-GGUF", {"copy-Q4_1.gguf": sources / "tiny-Q4_1.gguf"}))
    again = json_of(home, hub, "pull", "other/copy-GGUF")
    assert again["model_id"] == first["model_id"]
    assert Path(again["path"]) == home / "models" / "other" / "copy-GGUF" / "copy-Q4_1.gguf"


@pytest.mark.parametrize("endpoint", ["not an address", "ftp://127.0.0.1", "huggingface.co", "http://"])
def test_an_address_that_cannot_be_one(home: Path, hub: Hub, endpoint: str) -> None:
    assert "HF_ENDPOINT cannot be used" in one_sentence(models(home, hub, "search", "x", HF_ENDPOINT=endpoint))


def test_pulling_what_is_not_there(home: Path, hub: Hub) -> None:
    assert "It has: " in one_sentence(models(home, hub, "pull", f"{REPO}:Q2_K"))
    assert "not on Hugging Face" in one_sentence(models(home, hub, "pull", "acme/nothing"))
    assert not list((home / "models").glob("*"))


def test_pulling_is_consent_unless_offline_was_chosen(home: Path, hub: Hub) -> None:
    home.mkdir()
    (home / "settings.json").write_text(json.dumps({"network": {"mode": "offline"}}))
    for done, words in (
        (models(home, hub, "pull", REPO), "set to work offline"),
        (models(home, hub, "search", "tiny"), "set to work offline"),
        (inglenook(home, "--offline", "models", "pull", REPO, HF_ENDPOINT=hub.url), "--offline"),
        (models(home, hub, "pull", REPO, HF_HUB_OFFLINE="1"), "HF_HUB_OFFLINE"),
    ):
        assert done.returncode == 1
        assert words in one_sentence(done)
    assert hub.seen == []
    (home / "settings.json").write_text("{}")
    assert models(home, hub, "pull", REPO).returncode == 0
    assert "offline" not in (home / "settings.json").read_text()


def test_a_gated_model_needs_the_token_and_the_cdn_never_sees_it(home: Path, hub: Hub) -> None:
    hub.repositories[REPO].gated = "manual"
    refused = models(home, hub, "pull", f"{REPO}:Q4_1")
    assert refused.returncode == 1
    assert "Log in with an access token" in one_sentence(refused)
    a_mirror_gets_none = models(home, hub, "pull", f"{REPO}:Q4_1", HF_TOKEN=GOOD_TOKEN)
    assert a_mirror_gets_none.returncode == 1
    (home / "settings.json").write_text(json.dumps({"network": {"token_hosts": [f"127.0.0.1:{hub.port}"]}}))
    assert models(home, hub, "pull", f"{REPO}:Q4_1", HF_TOKEN=GOOD_TOKEN).returncode == 0
    assert any(seen.headers.get("Authorization") == f"Bearer {GOOD_TOKEN}" for seen in hub.seen)
    assert hub.cdn.seen
    assert not any(GOOD_TOKEN in str(seen.headers) for seen in hub.cdn.seen)


def test_everything_goes_through_the_proxy_of_the_settings(home: Path, hub: Hub, sources: Path) -> None:
    """The Hub, its redirect and its file server, with the proxy's password, which nobody else sees."""
    proxy = ForwardingProxy("me", "a secret")
    home.mkdir()
    with contextlib.closing(proxy):
        (home / "settings.json").write_text(json.dumps({"network": {"proxy": proxy.address.replace(" ", "%20")}}))
        got = json_of(home, hub, "pull", f"{REPO}:Q4_1")
        assert Path(got["path"]).read_bytes() == (sources / "tiny-Q4_1.gguf").read_bytes()
        came = {
            address.partition(" ")[2].partition("/")[2].partition("/")[2].partition("/")[0] for address in proxy.asked
        }
        assert came == {hub.url.removeprefix("http://"), hub.cdn.url.removeprefix("http://")}
        assert len(proxy.asked) == len(hub.seen) + len(hub.cdn.seen)
        assert not any("Proxy-Authorization" in seen.headers for seen in (*hub.seen, *hub.cdn.seen))
        (home / "settings.json").write_text(json.dumps({"network": {"proxy": proxy.url}}))
        refused = models(home, hub, "search", "tiny")
        assert refused.returncode == 1
        assert "proxy" in one_sentence(refused)
        assert proxy.refused


def test_a_gated_model_of_a_mirror_says_where_the_token_goes(home: Path, hub: Hub) -> None:
    """The token is there and was not sent: logging in again would not help."""
    hub.add(Repository("acme/gated-GGUF", {"x-Q4_0.gguf": b"GGUF" * 100}, gated="auto"))
    done = models(home, hub, "pull", "acme/gated-GGUF:Q4_0", HF_TOKEN=GOOD_TOKEN)
    assert done.returncode == 1
    sentence = one_sentence(done)
    assert "only sent to huggingface.co" in sentence
    assert "network.token_hosts" in sentence
    assert not any("Authorization" in seen.headers for seen in hub.seen)
    assert "Log in" in one_sentence(models(home, hub, "pull", "acme/gated-GGUF:Q4_0"))


def test_wrong_bytes_are_refused(home: Path, hub: Hub) -> None:
    hub.cdn.fault(Kind.WRONG_BYTES, 5000, times=-1)
    done = models(home, hub, "pull", f"{REPO}:Q4_1", "--no-projector")
    assert done.returncode == 1
    assert "not what its makers published" in one_sentence(done)
    assert own(home, hub) == []


@pytest.fixture
def large(hub: Hub, starter_model: Path) -> str:
    """A real model of 98 MB on the Hub; its name for `pull`."""
    hub.add(Repository("acme/starter-GGUF", {"starter-Q4_1.gguf": starter_model}))
    return "acme/starter-GGUF:Q4_1"


def told(home: Path) -> int:
    """How many bytes of the download its journal tells of."""
    journal = home / "models" / "acme" / "starter-GGUF" / "starter-Q4_1.gguf.part.json"
    try:
        return sum(end - begin for begin, end in json.loads(journal.read_bytes())["spans"])
    except (FileNotFoundError, ValueError):
        return 0


def covered(ranges: list[tuple[int, int]]) -> int:
    """The bytes in these ranges, those that several ask for counted once: a slow tail is asked for twice."""
    count = reached = 0
    for begin, end in sorted(ranges):
        count += max(end - max(begin, reached), 0)
        reached = max(reached, end)
    return count


def test_killed_in_the_middle_and_gone_on_with(home: Path, hub: Hub, large: str, starter_model: Path) -> None:
    size = starter_model.stat().st_size
    stall = hub.cdn.fault(Kind.STALL, size * 6 // 10, times=-1)
    with start(home, "models", "pull", large, HF_ENDPOINT=hub.url) as process:
        until(lambda: told(home) > size // 2, "half of the model")
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    kept = told(home)
    hub.cdn.faults.remove(stall)
    before = len(hub.cdn.seen)
    got = json_of(home, hub, "pull", large)
    ranges = [(seen.start, seen.end or size) for seen in hub.cdn.seen[before:]]
    assert covered(ranges) <= size - kept, "what is there is not asked for again"
    path = home / "models" / "acme" / "starter-GGUF" / "starter-Q4_1.gguf"
    assert sha256(path) == sha256(starter_model)
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    (model,) = json_of(home, hub, "list")
    assert model["id"] == got["model_id"]
    assert got["path"] == str(path)
    assert {model["path"], *(place["path"] for place in model["also_at"])} == {str(path), str(starter_model)}
    assert "unchanged" in models(home, hub, "verify", "acme/starter-GGUF:Q4_1").stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_pauses_with_a_sentence(home: Path, hub: Hub, large: str, number: signal.Signals) -> None:
    hub.cdn.rate = 2 * MIB
    with start(home, "models", "pull", large, HF_ENDPOINT=hub.url) as process:
        until(lambda: told(home) > 0, "something of the model")
        process.send_signal(number)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert output == b""
    (line,) = errors.decode().splitlines()
    assert line.startswith("inglenook: Paused")
    assert line.endswith(f"The command `inglenook models pull {large}` goes on where it was.")
    hub.cdn.rate = 0
    before, size = len(hub.cdn.seen), hub.repositories["acme/starter-GGUF"].files["starter-Q4_1.gguf"].size
    assert models(home, hub, "pull", large).returncode == 0
    assert covered([(seen.start, seen.end or size) for seen in hub.cdn.seen[before:]]) < size


def test_two_commands_get_one_model_together(home: Path, hub: Hub, large: str) -> None:
    hub.cdn.rate = 8 * MIB
    with start(home, "models", "pull", large, HF_ENDPOINT=hub.url) as first:
        hub.cdn.wait_for(lambda cdn: cdn.served > MIB, 60.0)
        assert models(home, hub, "pull", large).returncode == 0
        assert first.wait(60) == 0
    assert hub.cdn.served < 110_000_000


def on_a_terminal(home: Path, hub: Hub, *arguments: str, columns: int = 100) -> tuple[int, str]:
    """The exit code of a command and everything it writes on a terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    try:
        process = subprocess.Popen(
            command(*arguments), stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT,
            env=environment(home, HF_ENDPOINT=hub.url, TERM="xterm"),
        )  # fmt: skip
    finally:
        os.close(theirs)
    written = b""
    with contextlib.suppress(OSError):  # the terminal's other end closes with the process
        while part := os.read(ours, 65_536):
            written += part
    os.close(ours)
    return process.wait(60), written.decode()


def test_a_bar_on_a_terminal(home: Path, hub: Hub, large: str) -> None:
    hub.cdn.rate = 32 * MIB
    code, words = on_a_terminal(home, hub, "models", "pull", large)
    assert code == 0
    assert "starter-GGUF Q4_1, 98 MB" in words
    assert "[#" in words
    assert "MB/s, " in words
    assert "100%" in words
    code, words = on_a_terminal(home, hub, "models", "verify")
    assert code == 0
    assert "100%" in words
    assert "unchanged" in words


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_a_bar_keeps_to_one_line(home: Path, hub: Hub, starter_model: Path, columns: int) -> None:
    """A line that wraps would leave its rest behind at every step."""
    name = "acme/A-Model-With-A-Rather-Long-Name-Instruct-GGUF"
    hub.add(Repository(name, {"starter-Q4_1.gguf": starter_model}))
    hub.cdn.rate = 16 * MIB
    code, words = on_a_terminal(home, hub, "models", "pull", f"{name}:Q4_1", columns=columns)
    assert code == 0
    steps = [re.sub(r"\x1b\[[?0-9]*[a-zA-Z]", "", step) for step in re.split(r"[\r\n]+", words) if "[#" in step]
    assert len(steps) > 2
    assert max(map(len, steps)) < columns
    assert all("GGUF:Q4_1  [" in step and "%" in step for step in steps)
    assert any("MB/s" in step for step in steps) is (columns > 40)


# --- knowing beforehand ---------------------------------------------------------------------------------------------


def test_fit(home: Path, hub: Hub, large: str, starter_model: Path) -> None:
    local = json_of(home, hub, "fit", str(starter_model), "--ctx", "2048")
    wanted = {
        "weights_bytes", "kv_bytes", "compute_bytes", "total_bytes", "exact", "fits", "max_ctx",
        "tokens_per_s_expected", "ttft_s_expected",
    }  # fmt: skip
    assert wanted <= local.keys()
    assert (local["exact"], local["fits"], local["n_ctx"]) == (True, True, 2048)
    assert local["total_bytes"] == local["weights_bytes"] + local["kv_bytes"] + local["compute_bytes"]
    assert local["tokens_per_s_expected"] > 0
    assert local["ttft_s_expected"] > 0
    assert hub.seen == []
    remote = json_of(home, hub, "fit", large, "--ctx", "2048")
    sizes = ("weights_bytes", "kv_bytes", "compute_bytes", "exact", "max_ctx")
    assert [remote[name] for name in sizes] == [local[name] for name in sizes]
    assert remote["name"] == large
    assert hub.cdn.served < 16 * MIB
    smaller = json_of(home, hub, "fit", "smollm", "--ctx", "2048", "--kv", "q8_0")
    assert smaller["kv_bytes"] < local["kv_bytes"]
    plain = models(home, hub, "fit", str(starter_model)).stdout
    assert "8,192 tokens" in plain
    assert "tokens a second" in plain
    for arguments in (("fit", "nobody"), ("fit", "acme/nobody"), ("fit", str(home / "inglenook.db"))):
        assert one_sentence(models(home, hub, *arguments))
    offline = inglenook(home, "--offline", "models", "fit", large, HF_ENDPOINT=hub.url)
    assert "--offline" in one_sentence(offline)
    assert inglenook(home, "--offline", "models", "fit", "smollm", HF_ENDPOINT=hub.url).returncode == 0


# --- the library ----------------------------------------------------------------------------------------------------


def test_other_programs_models_are_listed(home: Path, hub: Hub, sources: Path, tmp_path: Path) -> None:
    snapshot = tmp_path / "hf" / "hub" / "models--acme--cached" / "snapshots" / ("c" * 40)
    snapshot.mkdir(parents=True)
    shutil.copy(sources / "tiny-Q4_1.gguf", snapshot)
    (model,) = json_of(home, hub, "list", HF_HOME=str(tmp_path / "hf"))[:-1]
    assert (model["origin"], model["repo"]) == ("hugging_face", "acme/cached")
    plain = models(home, hub, "list", HF_HOME=str(tmp_path / "hf")).stdout
    assert "in the Hugging Face cache" in plain
    assert "comes with Inglenook" in plain
    done = models(home, hub, "rm", "Tiny tiny-Q4_1", HF_HOME=str(tmp_path / "hf"))
    assert "other programs use too" in one_sentence(done)
    assert list(snapshot.iterdir())


def test_importing_verifying_and_removing(home: Path, hub: Hub, sources: Path, tmp_path: Path) -> None:
    path = sources / "tiny-Q4_1.gguf"
    assert str(path) in models(home, hub, "import", str(path)).stdout
    imported = json_of(home, hub, "import", str(sources), "--copy")
    assert {Path(model["path"]).parent.name for model in imported} == {"sources"}
    (first, *_) = json_of(home, hub, "verify", "tiny-Q4_1")
    assert (first["finding"], first["sha256"]) == ("new", [sha256(path)])
    assert json_of(home, hub, "verify", "tiny-Q4_1")[0]["finding"] == "same"
    split = next(model for model in own(home, hub) if model["parts"] == 2)
    plan = json_of(home, hub, "rm", split["id"], "--dry-run")
    assert len(plan["files"]) == 2
    assert all(Path(file).exists() for file in plan["files"])
    done = models(home, hub, "rm", split["id"])
    assert "Emptying the trash frees" in done.stdout
    assert not any(Path(file).exists() for file in plan["files"])
    trash = tmp_path / "xdg_data_home" / "Trash"
    assert {Path(file).name for file in plan["files"]} <= {one.name for one in (trash / "files").iterdir()}
    assert len(list((trash / "info").glob("*.trashinfo"))) == len(plan["files"])
    assert split["id"] not in {model["id"] for model in own(home, hub)}


def test_a_file_that_is_not_what_it_was(home: Path, hub: Hub) -> None:
    got = json_of(home, hub, "pull", f"{REPO}:Q4_1")
    path = Path(got["path"])
    data, status = bytearray(path.read_bytes()), path.stat()
    data[-5] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    done = models(home, hub, "verify", f"{REPO}")
    assert done.returncode == 1
    assert "Download it again" in done.stdout
    assert json.loads(models(home, hub, "verify", REPO, "--json").stdout)[0]["finding"] == "different"


def test_what_cannot_be_done_is_said_in_a_sentence(home: Path, hub: Hub, sources: Path) -> None:
    (sources / "bad.gguf").write_bytes(b"not a model")
    for arguments, words in (
        (("rm", "nobody"), "no model called"),
        (("rm", "SmolLM2-135M-Instruct"), "comes with Inglenook"),
        (("verify", "nobody"), "no model called"),
        (("import", str(sources / "nothing")), "There is no"),
        (("import", str(sources / "bad.gguf")), "not a GGUF model"),
        (("import", "--copy", str(sources / "bad.gguf")), "not a GGUF model"),
    ):
        done = models(home, hub, *arguments)
        assert done.returncode == 1
        assert words in one_sentence(done)


def test_two_models_of_one_name_are_not_mixed_up(home: Path, hub: Hub, sources: Path) -> None:
    (home / "models").mkdir(parents=True)
    for name, seed in (("a", 1), ("b", 2)):
        (home / "models" / name).mkdir()
        tiny_models.dense(home / "models" / name / "same.gguf", seed=seed)
    assert "More than one" in one_sentence(models(home, hub, "rm", "Tiny same"))
    assert "More than one" in one_sentence(models(home, hub, "rm", "same.gguf"))
    assert models(home, hub, "rm", str(home / "models" / "a" / "same.gguf")).returncode == 0
    assert [Path(model["path"]).parent.name for model in own(home, hub)] == ["b"]


def test_help_of_every_verb(home: Path) -> None:
    for verb in ("search", "show", "pull", "list", "verify", "rm", "import", "fit"):
        done = inglenook(home, "models", verb, "--help")
        assert done.returncode == 0
        assert "--json" in done.stdout
