# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds in a recording which request does what, and which field is which setting. Private to this collection."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..http.template import literal, truth
from ..http.tree import MISSING, Page, Tree, find, keys_of, leaves, text_of
from ..messages import MASK
from ..model import CONNECTED, ISSUES
from .entries import Exchange, FilePart, HarError
from .match import hint, likeness, same_value
from .typed import Typed

_WRITES = ("POST", "PUT", "PATCH")
_VERSION = re.compile(r"[0-9]{2}\.[0-9]+\.[0-9]+(?:[.-][0-9A-Za-z]+)*")


@dataclass
class Finder:
    """Looks through a recording. Every method raises HarError where it cannot find or cannot tell."""

    everything: list[Exchange]
    typed: Typed
    notes: list[str] = field(default_factory=list)
    """Sentences for the person who reviews the profile."""
    entries: list[Exchange] = field(default_factory=list)
    """Those of the console that the save went to."""
    read_page: Page | None = None
    """The page that the settings are read from, where it is one."""

    def save(self) -> Exchange:
        """Return the last request that saved the settings."""
        writes = [entry for entry in self.everything if entry.method in _WRITES]
        saves = [entry for entry in writes if any(self.typed.is_host(value) for _place, value in entry.leaves)]
        good = [entry for entry in saves if 200 <= entry.status < 400]
        if good:
            return good[-1]
        if saves:
            raise HarError(
                f"the request that carries the proxy's host was answered with HTTP {saves[-1].status} in the recording; record a "
                "save that succeeds"
            )
        if writes and all(entry.body is MISSING for entry in writes):
            raise HarError(
                "the recording holds no bodies of requests; export it with content (Chromium: 'Save all as HAR with content', "
                "Firefox: 'Save All As HAR', Playwright: record_har_content='embed')"
            )
        self._refuse_lost(self.everything)
        raise HarError(
            "no request carries the proxy's host as typed; see that host is what was typed and that the recording runs until "
            "after Save"
        )

    @staticmethod
    def _refuse_lost(found: Sequence[Exchange]) -> None:
        """Say so where a body that is looked for may be one that the recording lacks."""
        for entry in found:
            kinds = [value for name, value in entry.headers.items() if name.lower() == "content-type"]
            if entry.body_lost and entry.method in _WRITES and any("multipart" in kind.lower() for kind in kinds):
                raise HarError(
                    f"the recording lacks the body of the request to {entry.plain_path}; Chromium leaves out bodies that carry a "
                    "file, so record with Firefox, or without a certificate"
                )

    def sign_in(self, save: Exchange) -> Exchange:
        """Return the request that signed in."""
        wanted = {self.typed.console_username, self.typed.console_password}
        found = [
            entry
            for entry in self.entries
            if entry.number < save.number
            and entry.method in _WRITES
            and wanted <= {value for _place, value in entry.leaves if isinstance(value, str)}
        ]
        good = [entry for entry in found if 200 <= entry.status < 400]
        if good:
            return good[-1]
        if found:
            raise HarError("the sign-in failed in the recording; record one that succeeds")
        raise HarError(
            "no request before the save carries the console's user name and password as typed; start the recording before signing "
            "in, and see that both values are right (a console that hashes them in the browser cannot be learned)"
        )

    def read(self, inside: Sequence[Exchange], save: Exchange) -> tuple[Exchange, Tree, Tree]:
        """Return the read, its answer's tree, and the tree of the same read before the save (or MISSING)."""
        reads = [
            entry for entry in inside if entry.method == "GET" and entry.status == 200 and entry.settings is not MISSING
        ]
        host = self.typed.places(save.leaves, "host")
        after: list[tuple[int, int, Exchange]] = []
        earlier: list[tuple[int, int, Exchange]] = []
        for entry in reads:
            found = leaves(entry.settings)
            if entry.number > save.number:
                points = sum(any(same_value(value, text) for _place, value in found) for text in self.typed.values())
                if any(self.typed.is_host(value) for _place, value in found) and any(
                    self.typed.is_port(value) for _place, value in found
                ):
                    after.append((points, entry.number, entry))
            else:
                points = sum(
                    max((likeness(place, other) for other, _value in found), default=0) > 0 for place, _v in save.leaves
                )
                if any(likeness(place, other) for place in host for other, _value in found):
                    earlier.append((points, entry.number, entry))
        if not after and not earlier:
            raise HarError(
                "no answer shows the proxy settings; record with content, and open the settings screen again after Save so that "
                "the console reads them back"
            )
        best = max(after or earlier, key=lambda item: item[:2])[2]
        if not after:
            self.notes.append(
                "The settings were not read after the save; their places were told by the names of the fields."
            )
        same = [entry for entry in reads if entry.plain_path == best.plain_path and entry.number < save.number]
        return best, best.settings, same[-1].settings if same else MISSING

    def upload(self, inside: Sequence[Exchange], save: Exchange) -> Exchange | None:
        """Return the request that uploaded the certificate by itself, if there was one."""
        name = self.typed.certificate
        if not name or any(isinstance(value, FilePart) and value.filename == name for _place, value in save.leaves):
            return None
        found = [
            entry
            for entry in inside
            if entry.method in _WRITES
            and entry.number != save.number
            and 200 <= entry.status < 400
            and any(self.typed.is_certificate(value) for _place, value in entry.leaves)
            and not any(self.typed.is_host(value) for _place, value in entry.leaves)
        ]
        if found:
            return min(found, key=lambda entry: (abs(entry.number - save.number), entry.number))
        if any(value == name for _place, value in save.leaves):
            return None
        self._refuse_lost(inside)
        raise HarError(
            f"no request uploads a file named {name}; see that certificate is the name of the file that was chosen in the recording"
        )

    def version(self, inside: Sequence[Exchange], read: Exchange, tree: Tree) -> dict[str, Any] | None:
        """Return where the software version is shown, if anywhere."""

        def place_in(where: Tree) -> str | None:
            for place, value in leaves(where):
                if "version" in place.lower() and isinstance(value, str) and _VERSION.fullmatch(value):
                    return place
            return None

        place = place_in(tree)
        if place is not None:
            return {"at": place}
        for entry in inside:
            if entry.method == "GET" and entry.status == 200 and entry.answer is not MISSING:
                place = place_in(entry.answer)
                if place is not None and entry.plain_path != read.plain_path:
                    return {"request": {"method": "GET", "path": literal(entry.plain_path)}, "at": place}
        return None

    def cloud(self, inside: Sequence[Exchange]) -> Exchange | None:
        """Return the request whose answer has the words of the connectivity screen, if any."""
        words = [word.lower() for word in (CONNECTED, *ISSUES)]
        found = []
        for entry in inside:
            if entry.answer is not MISSING:
                text = "\n".join(text_of(value) for _place, value in leaves(entry.answer)).lower()
            elif entry.page and not entry.page.passwords:
                text = entry.page.text.lower()
            else:
                continue
            # An answer with every sentence is a list of texts, not a verdict.
            if entry.status == 200 and 0 < sum(word in text for word in words) < len(words):
                found.append(entry)
        plain = [entry for entry in found if entry.method == "GET"]
        return (plain or found)[-1] if found else None

    def fields(self, save: Exchange, before: Tree) -> dict[str, str]:
        """Return which field of the save carries which setting."""
        found: dict[str, str] = {}
        for setting in ("host", "port", "username", "enabled"):
            if setting == "username" and not self.typed.username:
                self.notes.append("No proxy user was typed in the recording, so the profile cannot set one.")
                continue
            taken = set(found.values())
            candidates = [place for place in self.typed.places(save.leaves, setting) if place not in taken]
            if setting == "enabled":
                candidates += [place for place in self._switched_on(save, before) if place not in (*taken, *candidates)]
            place = self._pick(setting, candidates, save, before)
            if place is None:
                raise HarError(
                    f"the request with the proxy's host carries no {setting} as typed; see that all settings are saved together and "
                    "that the values given are those of the recording"
                    if setting != "enabled"
                    else "no field of the save looks like the switch Enable Proxy; record a save that switches it on"
                )
            found[setting] = place
        if self.typed.password and not self.typed.places(save.leaves, "password"):
            raise HarError(
                "the request with the proxy's host does not carry the proxy's password as typed; record a save with it"
            )
        if not self.typed.password:
            self.notes.append("No proxy password was typed in the recording, so the profile cannot set one.")
        return found

    def _pick(self, setting: str, candidates: Sequence[str], save: Exchange, before: Tree) -> str | None:
        if len(candidates) < 2:
            return candidates[0] if candidates else None
        scored = []
        for place in candidates:
            points = hint(setting, place)
            old = self._old_value(place, before)
            if old is not MISSING:
                points += -4 if same_value(find(save.body, place), old) else 4
            scored.append((points, place))
        top = max(points for points, _place in scored)
        best = [place for points, place in scored if points == top]
        if len(best) > 1:
            raise HarError(
                f"the save carries the value of {setting} in several fields ({', '.join(best)}); record again with a value that is "
                "nowhere else on the screen"
            )
        return best[0]

    def _switched_on(self, save: Exchange, before: Tree) -> list[str]:
        """Return the fields of the save that are on and were off before, whatever their names."""
        return [
            place
            for place, value in save.leaves
            if not isinstance(value, FilePart)
            and value is not None
            and truth(value) is True
            and (old := self._old_value(place, before)) is not MISSING
            and truth(old) is False
        ]

    def _old_value(self, place: str, before: Tree) -> Tree:
        if before is MISSING:
            return MISSING
        scored = [(likeness(place, where), where) for where, _value in leaves(before)]
        top = max((points for points, _where in scored), default=0)
        best = [where for points, where in scored if points == top]
        return find(before, best[0]) if top and len(best) == 1 else MISSING

    def shown(self, tree: Tree, save: Exchange, places: dict[str, str], after: bool) -> dict[str, str]:
        """Return where the read shows which setting."""
        found: dict[str, str] = {}
        listed = leaves(tree)
        for setting, place in places.items():
            if setting != "enabled" and after:
                candidates = [where for where in self.typed.places(listed, setting) if where not in found.values()]
            else:
                candidates = [
                    where
                    for where, value in listed
                    if where not in found.values() and (setting != "enabled" or truth(value) is not None)
                ]
            where = self._nearest(setting, place, candidates, needs_likeness=not after or setting == "enabled")
            if where is None:
                raise HarError(
                    f"no answer shows the proxy's {setting}; open the settings screen again after Save while recording"
                )
            found[setting] = where
        free = [(where, value) for where, value in listed if where not in found.values()]
        secret = self.typed.places(save.leaves, "password")
        if secret:
            near = [
                (likeness(secret[0], where), where) for where, value in free if value is None or isinstance(value, str)
            ]
            points, where = max(near, default=(0, ""))
            if points and hint("password", where) > 1:
                found["password"] = where
        stored = self._stored(free, found.get("password"), after)
        if stored:
            found["password_set"] = stored
        certificate = self._certificate_place(free, after)
        if certificate:
            found["certificate"] = certificate
        return found

    @staticmethod
    def _nearest(setting: str, place: str, candidates: Sequence[str], needs_likeness: bool) -> str | None:
        scored = [(likeness(place, where), hint(setting, where), where) for where in candidates]
        if needs_likeness:
            scored = [item for item in scored if item[0] or (setting == "enabled" and item[1] > 4)]
        if not scored:
            return None
        top = max(scored)
        if sum(item[:2] == top[:2] for item in scored) > 1:
            raise HarError(
                f"the answer shows what may be the proxy's {setting} in several places; record again with a value that is nowhere else "
                "on the screen"
            )
        return top[2]

    def _stored(self, free: Sequence[tuple[str, Tree]], password: str | None, after: bool) -> str | None:
        if not self.typed.password:
            return None
        for place, value in free:
            words = place.lower()
            named = "pass" in words or ("cred" in words and re.search("stored|set|has", words))
            if named and isinstance(value, bool) and (value or not after):
                return place
        for place, value in free:
            if isinstance(value, str) and MASK.fullmatch(value) and hint("password", place):
                return place
        if password is not None:
            value = next(value for place, value in free if place == password)
            shown = text_of(value)
            if self.read_page:
                shown = self.read_page.passwords.get(keys_of(password)[0], "")
            if MASK.fullmatch(shown):
                return password
        return None

    def _certificate_place(self, free: Sequence[tuple[str, Tree]], after: bool) -> str | None:
        if not self.typed.certificate:
            return None
        exact = [place for place, value in free if value == self.typed.certificate]
        if exact:
            return exact[0]
        named = [
            place
            for place, value in free
            if (value is None or isinstance(value, str)) and re.search("cert", place, re.IGNORECASE) and not after
        ]
        return named[0] if len(named) == 1 else None
