"""A scripted worker, `python -m app.engine.fake SCRIPT`: a real process that speaks the real protocol without a model.

SCRIPT is JSON or the path of a file that holds it (see fake_script.py). Without one, any file loads and every reply is
the same few sentences. It passes the contract suite of the real worker, and fails on demand in every way a process can:

    {"replies": [{"text": "Hello.", "tokens_per_s": 500}, {"code": "decode_failed", "after": 3}]}
    {"die": {"at": "tokens", "after": 5, "how": "kill", "once": "/tmp/marker"}}

No llama.cpp, no thought about what a reply means; what is common to both workers is the protocol only.
"""

from __future__ import annotations

import os
import queue
import re
import signal
import sys
import threading
import time
from pathlib import Path

import msgspec

from app.engine import protocol
from app.engine.adapters import read_adapter
from app.engine.errors import EngineError
from app.engine.fake_cache import Cache
from app.engine.fake_script import Reply, Script, read_script
from app.engine.fake_wire import Death, Wire
from app.engine.fit import estimate
from app.engine.gguf import check_loadable, read_others
from app.engine.hardware import Device, DeviceSpeed, MemoryPlan
from app.engine.protocol import Code
from app.engine.shape import shape_of
from app.engine.values import EngineInfo, GenerationFacts, LoadedModel, LoadOptions, PromptMessage
from app.engine.wire import FrameError, read_bodies, unpack_command

_MEMORY = 8 * 1024**3
_CPU = Device(
    name="CPU",
    description="scripted",
    kind="cpu",
    memory_free_bytes=_MEMORY,
    memory_total_bytes=_MEMORY,
    backend="CPU",
)
_PIECE = re.compile(r"\s*\S{1,8}|\s+$")


class _Model:
    """The scripted llama.cpp thread: one job after the other."""

    def __init__(self, script: Script, wire: Wire) -> None:
        self._script, self._wire = script, wire
        self.jobs: queue.SimpleQueue[protocol.Command | None] = queue.SimpleQueue()
        self.cancelled: set[int] = set()
        self.wake = threading.Event()  # set by Cancel and Shutdown: cuts a pause short
        self.ending = False
        self._model: LoadedModel | None = None
        self._cache = Cache()
        self._turn = 0
        self._failed = 0  # loads

    def live(self) -> None:
        while (job := self.jobs.get()) is not None:
            try:
                self._do(job)
            except EngineError as error:
                self._fail(job.id, error.code, error.detail, error.numbers)  # type: ignore[union-attr] # Ping and such are no jobs
            except Death:
                return
        self._cache.end()

    def _do(self, job: protocol.Command) -> None:
        if isinstance(job, protocol.Load):
            self._load(job)
        elif isinstance(job, protocol.Unload):
            self._cache.end()
            self._model = None
            self._wire.send(protocol.Unloaded(id=job.id))
        elif isinstance(job, protocol.Generate):
            self._generate(job)
        elif isinstance(job, protocol.Measure):
            self._measure(job)
        elif isinstance(job, protocol.Keep):
            size = self._cache.keep(job.sequence)
            self._wire.send(protocol.Kept(id=job.id, tokens=self._cache.count(job.sequence), size_bytes=size))
        elif isinstance(job, protocol.Restore):
            held = self._cache.held(job.sequence, job.snapshot, job.adapters)
            self._wire.send(protocol.Restored(id=job.id, tokens=len(held)))
        elif isinstance(job, protocol.Forget):
            self._cache.forget(job.sequence)
            self._wire.send(protocol.Forgotten(id=job.id))
        elif isinstance(job, protocol.Plan):
            plan = self._plan(Path(job.path), job.options)
            self._wire.send(protocol.Planned(id=job.id, plan=plan))
        elif isinstance(job, protocol.Gauge):
            self._wire.send(protocol.Gauged(id=job.id, speed=self._gauged(job.device)))
        elif isinstance(job, protocol.Describe):
            devices = self._devices(job.rpc)
            info = EngineInfo(
                llama_cpp="scripted",
                llama_cpp_build="scripted",
                system_info="",
                devices=[_CPU, *devices],
                supports_gpu_offload=bool(devices),
                model=self._model,
            )
            self._wire.send(protocol.Described(id=job.id, info=info))

    def _devices(self, endpoints: tuple[str, ...]) -> list[Device]:
        """The scripted devices that can take layers, with those of further computers."""
        found = list(self._script.devices)
        for endpoint in endpoints:
            if endpoint not in self._script.remote:
                raise EngineError(endpoint, code=Code.WORKER_UNREACHABLE)
            found += self._script.remote[endpoint]
        return found

    def _gauged(self, name: str) -> DeviceSpeed:
        if name not in [_CPU.name, *(device.name for device in self._script.devices)]:
            raise EngineError(name, code=Code.DEVICE_FAILED)
        self._wire.die_if("gauge")
        unknown = DeviceSpeed(name=name, bandwidth_bytes_per_s=0.0, compute_flops=0.0)
        return next((speed for speed in self._script.speeds if speed.name == name), unknown)

    def _plan(self, path: Path, options: LoadOptions) -> MemoryPlan:
        """What the formulae say of the file, as if llama.cpp had said it."""
        devices = {device.name: device for device in self._devices(options.rpc)}
        for name in options.devices:
            if name not in devices:
                raise EngineError(name, code=Code.DEVICE_FAILED)
        chosen = [devices[name] for name in options.devices or devices] if options.n_gpu_layers else []
        shape = shape_of(check_loadable(path, {"llama"}), *read_others(path))
        return msgspec.structs.replace(estimate(shape, options, chosen), exact=True)

    def _fail(self, id: int, code: str, detail: str = "", numbers: dict[str, int] | None = None) -> None:
        # Like the real one: what fails a load here is found before the old model is let go.
        kept = self._model is not None and code in _CHECKED
        self._wire.send(protocol.Failed(id=id, code=code, detail=detail, numbers=numbers or {}, model_kept=kept))

    def _pause(self, until: float, id: int) -> bool:
        """Wait until a time of the performance counter; False as soon as the command is cancelled."""
        while id not in self.cancelled and not self.ending:
            left = until - time.perf_counter()
            if left <= 0:
                return True
            if self.wake.wait(left):
                self.wake.clear()
        return False

    def _load(self, job: protocol.Load) -> None:
        script, begin = self._script.load, time.perf_counter()
        size, plan = 0, None
        if script.check:
            size = check_loadable(Path(job.path), {"llama"}).file_size_bytes
            plan = self._plan(Path(job.path), job.options)
        kept, self._model = self._model if script.model_kept else None, None
        for step in range(script.steps + 1):
            done = (size or script.steps) * step / max(script.steps, 1)
            self._wire.send(protocol.Progress(id=job.id, phase="load", done=done, total=float(size or script.steps)))
            self._wire.die_if("load", step)
            if not self._pause(begin + script.seconds * step / max(script.steps, 1), job.id):
                self._fail(job.id, Code.CANCELLED)
                return
        if script.code and (not script.times or self._failed < script.times):
            self._failed += 1
            self._model = kept
            failed = protocol.Failed(
                id=job.id, code=script.code, detail=script.detail, numbers=script.numbers, model_kept=kept is not None
            )
            self._wire.send(failed)
            return
        self._cache.end()
        self._cache.begin(job.path)
        thinks = any(reply.thinking or reply.thinking_open for reply in self._script.replies)
        self._model = LoadedModel(
            path=job.path,
            name=self._script.name,
            architecture="llama",
            description="scripted",
            size_bytes=size,
            n_params=135_000_000,
            n_ctx=job.options.n_ctx or self._script.n_ctx,
            n_ctx_train=self._script.n_ctx,
            n_vocab=49_152,
            n_layer=30,
            n_gpu_layers=plan.n_gpu_layers if plan else 0,
            n_threads=job.options.n_threads or 1,
            tokenizer="scripted",
            has_template=True,
            can_think=thinks,
            load_s=time.perf_counter() - begin,
            shares=plan.shares if plan else (),
        )
        self._wire.send(protocol.Loaded(id=job.id, model=self._model))

    def _measure(self, job: protocol.Measure) -> None:
        model = self._need_model()
        spans = [len(_render(message)) for message in job.messages]
        self._wire.send(protocol.Measured(id=job.id, total=sum(spans) + 2, spans=spans, limit=model.n_ctx - 1))

    def _need_model(self) -> LoadedModel:
        if self._model is None:
            raise EngineError("nothing is loaded", code=Code.NO_MODEL)
        return self._model

    def _generate(self, job: protocol.Generate) -> None:
        begin = time.perf_counter()
        model = self._need_model()
        reply = self._script.replies[self._turn % len(self._script.replies)]
        self._turn += 1
        prompt = [piece for message in job.messages for piece in _render(message)]
        if not job.continue_final:
            prompt += ["<assistant>", "\n"]
        n = reply.prompt_tokens or len(prompt)
        for adapter in job.adapters:
            read_adapter(Path(adapter.path))
        if n >= model.n_ctx:
            self._fail(job.id, Code.PROMPT_TOO_LONG, numbers={"n": n, "limit": model.n_ctx - 1})
            return
        cached = min(_common(self._cache.held(job.sequence, job.snapshot, job.adapters), prompt), len(prompt) - 1)
        self._wire.send(
            protocol.Started(id=job.id, prompt_tokens=n, cached_tokens=cached, thinking_open=reply.thinking_open)
        )
        speed = reply.read_tokens_per_s
        reading_s = reply.prompt_s + ((n - cached) / speed if speed > 0 else 0.0)
        for step in range(1, reply.prompt_steps + 1):
            self._wire.die_if("prompt", step)
            alive = self._pause(begin + reading_s * step / reply.prompt_steps, job.id)
            done = cached + (n - cached) * step / reply.prompt_steps
            self._wire.send(protocol.Progress(id=job.id, phase="prompt", done=done, total=float(n)))
            if not alive:
                break
        read_s = time.perf_counter() - begin
        last = next((message.content for message in reversed(job.messages) if message.role == "user"), "")
        text = _cut(_whole(reply).replace("{last}", last), job.stop)
        limit = min(job.sampling.max_tokens or model.n_ctx, model.n_ctx - n)
        sent, finish, first_at = self._write(job, reply, text, limit)
        if finish == "":
            self._fail(job.id, reply.code, reply.detail, reply.numbers)
            return
        self._cache.hold(job.sequence, prompt + sent, job.snapshot, job.adapters)
        facts = GenerationFacts(
            prompt_tokens=n,
            cached_tokens=cached,
            completion_tokens=len(sent),
            prompt_s=read_s,
            decode_s=time.perf_counter() - first_at if sent else 0.0,
            ttft_s=first_at - begin if sent else 0.0,
            seed=job.sampling.seed if job.sampling.seed is not None else 4711,
            finish_reason=finish,
        )
        self._wire.send(protocol.Finished(id=job.id, facts=facts))

    def _write(self, job: protocol.Generate, reply: Reply, text: str, limit: int) -> tuple[list[str], str, float]:
        """Send the text in pieces at its speed: pieces sent, finish reason ('' if scripted to fail), first when."""
        begin = time.perf_counter()
        sent: list[str] = []
        first_at = 0.0
        for piece in _PIECE.findall(text):
            due = begin + (len(sent) / reply.tokens_per_s if reply.tokens_per_s > 0 else 0.0)
            if not self._pause(due, job.id):
                return sent, "stopped", first_at
            self._wire.die_if("tokens", len(sent))
            if reply.code and len(sent) >= reply.after:
                return sent, "", first_at
            if len(sent) >= limit:
                return sent, "length", first_at
            first_at = first_at or time.perf_counter()
            sent.append(piece)
            self._wire.send(protocol.Delta(id=job.id, text=piece, token_ids=[_token(piece)]))
        return sent, "" if reply.code else "stop", first_at


_CHECKED = {
    Code.FILE_MISSING, Code.FILE_UNREADABLE, Code.NOT_GGUF, Code.GGUF_TRUNCATED, Code.GGUF_BROKEN,
    Code.UNKNOWN_ARCHITECTURE, Code.NOT_A_CHAT_MODEL, Code.DEVICE_FAILED, Code.WORKER_UNREACHABLE,
}  # fmt: skip


def _render(message: PromptMessage) -> list[str]:
    return [f"<{message.role}>", "\n", *_PIECE.findall(message.content), "<end>", "\n"]


def _whole(reply: Reply) -> str:
    if not reply.thinking:
        return reply.text
    opening = "" if reply.thinking_open else "<think>\n"
    return f"{opening}{reply.thinking}\n</think>\n\n{reply.text}"


def _cut(text: str, stops: list[str]) -> str:
    found = [at for stop in stops if stop and (at := text.find(stop)) >= 0]
    return text[: min(found)] if found else text


class _AnyCommand(msgspec.Struct):
    id: int = 0


def _id_of(body: bytes) -> int:
    """The request id of a frame that is no command of this version; 0 if it has none."""
    try:
        return msgspec.msgpack.decode(body, type=_AnyCommand).id
    except msgspec.MsgspecError:
        return 0


def _common(one: list[str], other: list[str]) -> int:
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count


def _token(piece: str) -> int:
    return sum(piece.encode()) % 49_152


def main() -> int:
    """Entry of the process; the script is the first argument."""
    script = read_script(sys.argv[1] if len(sys.argv) > 1 else "{}")
    deaf = script.die is not None and script.die.at == "deaf"
    if deaf:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    wire = Wire(sys.stdout.buffer, script.die)
    model = _Model(script, wire)
    thread = threading.Thread(target=model.live, name="fake model", daemon=True)
    try:
        wire.die_if("start")
        time.sleep(script.hello_delay_s)
        wire.send(protocol.Hello(protocol=script.protocol, pid=os.getpid(), llama_cpp="scripted"))
        wire.die_if("hello")
        thread.start()
        for body in read_bodies(sys.stdin.buffer):
            if wire.hung.is_set():
                continue
            try:
                command = unpack_command(body)
            except FrameError as error:
                wire.send(protocol.Failed(id=_id_of(body), code=Code.UNKNOWN_COMMAND, detail=str(error)))
                continue
            if isinstance(command, protocol.Ping):
                wire.send(protocol.Pong(n=command.n))
            elif isinstance(command, protocol.Shutdown):
                break
            elif isinstance(command, protocol.Cancel):
                model.cancelled.add(command.target)
                model.wake.set()
            else:
                model.jobs.put(command)
    except Death:
        for _ in read_bodies(sys.stdin.buffer):
            pass
    parent = os.getppid()
    while deaf and os.getppid() == parent:
        time.sleep(0.1)
    model.ending = True
    model.wake.set()
    model.jobs.put(None)
    if thread.ident is not None:
        thread.join(1)
    return 0


if __name__ == "__main__":
    sys.stdout.flush()
    os._exit(main())
