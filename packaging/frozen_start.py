"""Runs in the frozen program before everything else: gives back what the bootloader changed in the environment.

The loader has read LD_LIBRARY_PATH by now. Programs that are started from here, such as the browser, must not find
our libraries through it; our own children, the engine first of all, let their bootloader set it anew.
"""

import os

_own = os.environ.pop("LD_LIBRARY_PATH_ORIG", None)
if _own is not None:
    os.environ["LD_LIBRARY_PATH"] = _own
else:
    os.environ.pop("LD_LIBRARY_PATH", None)
os.environ["PYINSTALLER_RESET_ENVIRONMENT"] = "1"
