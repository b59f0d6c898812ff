"""Runs a module as a program that ends with its parent, even with one that was killed and could not say so.

`python -m stream.demo.lifeline FOLDER MODULE ARGUMENTS…`: standard input is the lifeline, whose end says that the
parent is gone. That needs no signal, no polling and no operating system in particular. The folder, which the parent
made for its child and can't remove any more, goes then too.
"""

import os
import runpy
import shutil
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Final

_GRACE_S: Final = 30.0  # for what does not stop when it is asked to


def child_environ(parent: dict[str, str]) -> dict[str, str]:
    """A copy of `parent` with which `python -m stream…` finds this very package from any folder."""
    here = str(Path(__file__).parents[2])
    rest = parent.get("PYTHONPATH")
    return {**parent, "PYTHONPATH": f"{here}{os.pathsep}{rest}" if rest else here}


def command(folder: Path, module: str, *arguments: str) -> list[str]:
    """The command line that runs `module` on a lifeline: start it with `stdin=PIPE`, keep the pipe open.

    A folder of its own is removed if the parent can't do it.
    """
    return [sys.executable, "-m", "stream.demo.lifeline", str(folder), module, *arguments]


def _end_with_parent(lifeline: int, folder: str) -> None:
    while os.read(lifeline, 4096):
        pass
    shutil.rmtree(folder, ignore_errors=True)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE_S)
    os._exit(1)


def main() -> None:
    """Run the module that the command line names, as `python -m` would."""
    lifeline = os.dup(0)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)  # the program itself has nothing to read
    os.close(null)
    threading.Thread(target=_end_with_parent, args=(lifeline, sys.argv[1]), name="lifeline", daemon=True).start()
    del sys.argv[:2]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
