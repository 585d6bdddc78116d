# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which text is a template, in every ansible-core. Private to this collection."""

from __future__ import annotations

try:
    from ansible.template import trust_as_template
except ImportError:  # before ansible-core 2.19 every text could be a template

    def trust_as_template(value: str) -> str:
        """Return it as it is."""
        return value


__all__ = ["trust_as_template"]
