"""A frozen folder that runs on an emulated, older processor, whatever it starts.

qemu's user mode emulates one program; what that program starts would run on the real processor again, and a frozen
program starts itself: once to set its search path, then for the engine. So the loader that the executable names is
another one here: a stub that has qemu run the same file. qemu finds the real loader by its option -L.
"""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

LOADER = b"/lib64/ld-linux-x86-64.so.2\0"
QEMU = "/usr/bin/qemu-x86_64"

# As a loader it gets the stack as the kernel made it, and no library. 31 is AT_EXECFN: the file that is started.
STUB = r"""
static long call(long number, long a, long b, long c) {
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
  return result;
}
static char *words[1024];
void begin(long *stack) {
  long count = stack[0], at = 0;
  char **given = (char **)(stack + 1), **environment = given + count + 1;
  long *auxiliary = (long *)environment;
  while (*auxiliary) auxiliary++;
  char *file = given[0];
  for (auxiliary++; auxiliary[0]; auxiliary += 2)
    if (auxiliary[0] == 31) file = (char *)auxiliary[1];
  words[at++] = QEMU;  /* here, because nobody moves the addresses in a loader's data */
  words[at++] = "-L";
  words[at++] = ROOT;
  words[at++] = "-cpu";
  words[at++] = CPU;
  words[at++] = "-0";
  words[at++] = given[0];
  words[at++] = file;
  for (long i = 1; i < count && at < 1023; i++) words[at++] = given[i];
  call(59, (long)QEMU, (long)words, (long)environment);
  call(60, 126, 0, 0);
}
__asm__(".globl _start\n_start:\n mov %rsp, %rdi\n and $-16, %rsp\n call begin\n");
"""


@contextlib.contextmanager
def emulated(program: Path, processor: str) -> Iterator[None]:
    """Changes an executable (a copy) so that it and what it starts of itself run on this processor."""
    data = program.read_bytes()
    assert data.count(LOADER) == 1
    with tempfile.TemporaryDirectory(prefix="ink-", dir="/tmp") as place:  # short: it must fit into the loader's place
        stub = Path(place) / "ld"
        beside = Path(place) / "root" / stub.relative_to("/")
        beside.parent.mkdir(parents=True)
        beside.symlink_to(LOADER[:-1].decode())
        defined = {"QEMU": QEMU, "ROOT": str(Path(place) / "root"), "CPU": processor}
        words = [f'-D{name}="{value}"' for name, value in defined.items()]
        bare = ("-nostdlib", "-static-pie", "-fPIE", "-ffreestanding", "-fno-stack-protector", "-O1")
        subprocess.run(["cc", *bare, *words, "-x", "c", "-o", stub, "-"], input=STUB.encode(), check=True)
        name = str(stub).encode() + b"\0"
        assert len(name) <= len(LOADER)
        program.unlink()  # it may be a link to the original
        program.write_bytes(data.replace(LOADER, name.ljust(len(LOADER), b"\0")))
        program.chmod(0o755)
        yield
