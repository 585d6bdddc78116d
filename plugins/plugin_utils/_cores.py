# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which ansible-cores evaluate what a host said. Private to this collection; meta/runtime.yml has the same list."""

from __future__ import annotations

import re

from ansible.errors import AnsibleError
from ansible.release import __version__

_MENDED = {(2, 16): 14, (2, 17): 7, (2, 18): 1}
"""The first release of each core in which CVE-2024-11079 is mended; later cores never had it."""


def refuse(version: str = __version__) -> None:
    """Refuse a core on which text from a host, such as a name in a proxy's log, may run as code on the controller.

    Raises:
        AnsibleError: this is one.
    """
    # What follows the three numbers, as in 2.19.0b1, is of the release that it comes before.
    major, minor, patch = map(int, re.findall(r"[0-9]+", version)[:3])
    if (major, minor) < (2, 16) or patch < _MENDED.get((major, minor), 0):
        raise AnsibleError(
            f"ansible-core {version} runs code that a sensor or an endpoint puts into a proxy's answers (CVE-2024-11079), so "
            "nothing was done; use 2.16.14, 2.17.7, 2.18.1 or a later one."
        )
