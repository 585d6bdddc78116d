# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text that somebody else chose: a header, a name in a certificate, a line of a log.

Private to this collection; standard library only, since it runs on targets.
"""

from __future__ import annotations

import re

UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]+")
"""What a terminal, XML or a browser would act on."""


def one_line(text: object, most: int = 200) -> str:
    """Return text as one line that does nothing, and is not longer than this."""
    # What is cut off is not looked at, however much it is.
    return short(UNSAFE.sub(" ", str(text)[: 4 * most]).strip(), most)


def short(text: str, most: int = 200) -> str:
    """Return text that is not longer than this."""
    return text if len(text) <= most else text[: most - 3] + "..."
