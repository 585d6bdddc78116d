# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules that only read have in common."""

from __future__ import annotations


class ModuleDocFragment:
    """Attributes of every module whose name ends in _info."""

    DOCUMENTATION = r"""
attributes:
  check_mode:
    description: It only reads.
    support: full
  diff_mode:
    description: It only reads.
    support: none
  idempotency:
    description: It only reads.
    support: full
"""
