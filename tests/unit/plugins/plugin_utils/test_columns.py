# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How wide the terminal is that a run is shown on, asked from a process that has been detached from it."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils import _columns

ASKED = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("columns", sys.argv[1])
columns = importlib.util.module_from_spec(spec)
spec.loader.exec_module(columns)
print(columns.width())
"""
# As ansible-core's worker: its parent has the terminal, and itself has none.
ASK = f"""
import subprocess, sys
command = [sys.executable, "-c", {ASKED!r}, sys.argv[1]]
done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, start_new_session=True)
sys.stderr.write(done.stdout + done.stderr)
"""


def test_the_width_is_that_of_the_terminal_of_the_run() -> None:
    ours, theirs = pty.openpty()
    try:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 132, 0, 0))
        done = subprocess.run(
            [sys.executable, "-c", ASK, _columns.__file__], stdout=theirs, stderr=subprocess.PIPE, text=True, check=True
        )
        assert done.stderr.split() == [str(132 - _columns.MARGIN)]
    finally:
        os.close(theirs)
        os.close(ours)


def test_without_a_terminal_nothing_is_folded() -> None:
    done = subprocess.run([sys.executable, "-c", ASK, _columns.__file__], capture_output=True, text=True, check=True)
    assert done.stderr.split() == [str(sys.maxsize)]
