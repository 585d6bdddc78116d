# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the person typed in a recording, and how it is recognised there. Private to this collection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..http.template import truth
from ..http.tree import Tree, text_of
from .entries import FilePart
from .match import hint


@dataclass(frozen=True)
class Typed:
    """What the person typed in the recording."""

    console_username: str
    console_password: str
    host: str
    port: int
    username: str = ""
    password: str = ""
    certificate: str = ""
    """Name of the uploaded file, without a folder."""

    def values(self) -> list[str]:
        """Return all that may be seen again on the screen."""
        return [value for value in (self.host, str(self.port), self.username, self.certificate) if value]

    def is_host(self, value: Tree) -> bool:
        """Say whether a value is the proxy's host."""
        return isinstance(value, str) and value.strip().lower() == self.host.lower()

    def is_port(self, value: Tree) -> bool:
        """Say whether a value is the proxy's port."""
        return not isinstance(value, bool) and text_of(value) == str(self.port)

    def is_certificate(self, value: Tree) -> bool:
        """Say whether a value is the uploaded file, or its name."""
        return (value.filename if isinstance(value, FilePart) else value) == self.certificate

    def places(self, found: Sequence[tuple[str, Tree]], setting: str) -> list[str]:
        """Return the places whose values may be those of a setting; none for a password that was not typed."""
        tests: dict[str, Callable[[str, Tree], bool]] = {
            "host": lambda _place, value: self.is_host(value),
            "port": lambda _place, value: self.is_port(value),
            "username": lambda _place, value: value == self.username,
            "password": lambda _place, value: bool(self.password) and value == self.password,
            "enabled": lambda place, value: (
                value not in (None, "") and truth(value) is True and hint("enabled", place) > 1
            ),
        }
        test = tests[setting]
        return [place for place, value in found if not isinstance(value, FilePart) and test(place, value)]
