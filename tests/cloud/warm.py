"""Runs the clouds' modules in forks of one process that has imported Azure's SDKs, which takes longer than what a module does with them.

The modules are unchanged: what Ansible starts as their interpreter is warm_client.py, which hands its standard streams, its environment
and its folder to this process, and ends as the module does.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

CACHE = Path(__file__).parents[2] / ".cache/cloud"
_PYTHON = CACHE / "venv/bin/python"
_CLIENT = Path(__file__).with_name("warm_client.py")
_COMMON = CACHE / "collections/ansible_collections/azure/azcollection/plugins/module_utils/azure_rm_common.py"
_IMPORT = re.compile(r"^    (?:from|import) ((?:azure|kiota|msgraph)[\w.]*)", re.MULTILINE)


@contextmanager
def python(environment: Mapping[str, str]) -> Iterator[str]:
    """Serve for a while, and yield the path of the modules' interpreter.

    Args:
        environment: what the SDKs find when they are imported, such as the folder of Azure's settings.
    """
    with tempfile.TemporaryDirectory() as folder:
        place = f"{folder}/socket"
        # Who comes before the imports are done waits in its queue.
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(place)
            listener.listen(64)
            number = listener.fileno()
            command = [str(_PYTHON), __file__, str(number)]
            server = subprocess.Popen(command, env=dict(environment), pass_fds=[number])
        try:
            interpreter = Path(folder) / "python"
            # Ansible takes a path without arguments.
            interpreter.write_text(f"#!/bin/sh\nexec {_PYTHON} -IS {_CLIENT} {place}\n", encoding="utf-8")
            interpreter.chmod(0o755)
            yield str(interpreter)
        finally:
            server.terminate()
            server.wait()


def _serve(listener: socket.socket) -> None:
    for name in _IMPORT.findall(_COMMON.read_text(encoding="utf-8")):
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        caller, _address = listener.accept()
        if os.fork() == 0:
            listener.close()
            _run(caller)
        caller.close()


def _run(caller: socket.socket) -> None:
    """Be the module's process."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    message, (*streams, folder), _flags, _address = socket.recv_fds(caller, 1 << 20, 4)
    os.fchdir(folder)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    given = json.loads(message)
    os.environ.clear()
    os.environ.update(given["environment"])
    sys.argv = [""]
    code = 0
    try:
        exec(compile(sys.stdin.read(), "<stdin>", "exec"), {"__name__": "__main__"})
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    caller.sendall(str(code).encode())
    os._exit(code)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
