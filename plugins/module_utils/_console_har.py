# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Learns a console profile from a recording in which a person signed in, entered proxy settings and saved them.

Private to this collection. Things are recognised by the values that the person typed. No route, field name or scheme of a
real console is known here. What a save carries beside the proxy settings becomes the value that each sensor itself shows;
what cannot be traced to that is listed for a person to confirm, and is not sent before.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.ot_security.proxy_chaining.plugins.module_utils import _console_profile
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console import CONNECTED, ISSUES
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console_har_entries import (
    Entry,
    FilePart,
    HarError,
    entries,
)
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console_har_match import (
    Counterpart,
    conversion,
    hint,
    is_distinctive,
    is_own,
    likeness,
    on_off,
    same_value,
)
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console_har_tokens import Tokens
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console_profile import ProfileError
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console_secrets import holds
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console_template import literal, truth
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console_tree import (
    MISSING,
    UNCHECKED,
    Page,
    Tree,
    find,
    keys_of,
    leaves,
    pointer,
    text_of,
)
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console_words import MASK

_WRITES = ("POST", "PUT", "PATCH")
_KEPT_HEADERS = ("accept", "x-requested-with")
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4}\s*){12,}[A-Za-z0-9+/=\s]*")
_VERSION = re.compile(r"[0-9]{2}\.[0-9]+\.[0-9]+(?:[.-][0-9A-Za-z]+)*")


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


@dataclass(frozen=True)
class Learned:
    """What a recording taught."""

    profile: dict[str, Any]
    notes: list[str]
    """Sentences for the person who reviews the profile."""


def learn(har: object, typed: Typed) -> Learned:
    """Return the profile of the recorded console.

    Args:
        har: the parsed HAR file.
        typed: what the person typed.

    Raises:
        HarError: something needed is not in the recording, or cannot be told apart; says how to record.
    """
    for name in ("console_username", "console_password", "host"):
        if not getattr(typed, name):
            raise HarError(f"{name} is empty; give what was typed in the recording")
    return _Learner(entries(har), typed).learn()


@dataclass
class _Learner:
    all_entries: list[Entry]
    typed: Typed
    notes: list[str] = field(default_factory=list)
    constants: dict[str, dict[str, Any]] = field(default_factory=dict)
    read_page: Page | None = None
    """The page that the settings are read from, where it is one."""

    def learn(self) -> Learned:
        save = self._find_save()
        self.recorded_host = save.host
        self.entries = [entry for entry in self.all_entries if entry.origin == save.origin]
        sign_in = self._find_sign_in(save)
        inside = [entry for entry in self.entries if entry.number > sign_in.number]
        read, tree, before = self._find_read(inside, save)
        self.read_page = read.page
        places = self._places(save, before)
        shown = self._shown(tree, save, places, read.number > save.number)
        upload = self._find_upload(inside, save)
        version = self._version(inside, read, tree)
        cloud = self._cloud(inside)
        replayed = [sign_in, read, save, *([upload] if upload else []), *([cloud] if cloud else [])]
        self.tokens = Tokens(self.entries, replayed, sign_in)
        self.counterpart = Counterpart(tree, places["host"], shown["host"])
        self.tree = tree
        self.shown = set(shown.values())
        before_sign_in = [entry for entry in self.entries if entry.number < sign_in.number]
        prepare = self.tokens.preparation(before_sign_in, sign_in)
        after = self.tokens.lacking([*prepare, sign_in, read])

        sections: dict[str, Any] = {"format": _console_profile.FORMAT}
        requests = [self._save_request(save, places)]
        if upload is not None:
            requests.insert(0 if upload.number < save.number else 1, self._upload_request(upload))
        steps: dict[str, Any] = {}
        if prepare:
            steps["prepare"] = [self._request(entry) for entry in prepare]
        steps["request"] = self._sign_in_request(sign_in)
        if 300 <= sign_in.status < 400:
            steps["status"] = sign_in.status
        if after:
            steps["after"] = [self._request(entry) for entry in after]
        profile: dict[str, Any] = {
            "sign_in": steps,
            "read": {
                "request": self._request(read),
                "format": "html" if read.answer is MISSING else "json",
                "fields": {name: self._at(place) for name, place in shown.items()},
            },
            "save": {"requests": requests} | self._unchanged(save, places, shown, inside),
        }
        if version:
            profile["version"] = version
        if cloud is None:
            self.notes.append(
                "The recording holds no answer with the words of the connectivity screen, so the sensor's own word on its cloud "
                "connection is not read; record that screen too, or add cloud to the profile."
            )
        else:
            profile["cloud"] = {"request": self._request(cloud)}
        if self.constants:
            sections["constants"] = self.constants
        if self.tokens.sources:
            sections["tokens"] = self.tokens.sources
        self.notes.append("The recording holds passwords and session cookies; delete it.")
        try:
            result = _console_profile.dump(_console_profile.load(sections | profile))
        except ProfileError as error:
            raise HarError(f"the recording gave a profile that does not hold together: {error}") from None
        self._assert_no_secret(result)
        return Learned(result, self.notes)

    # What is where in the recording.

    def _find_save(self) -> Entry:
        writes = [entry for entry in self.all_entries if entry.method in _WRITES]
        saves = [entry for entry in writes if any(self._is_host(value) for _place, value in entry.leaves)]
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
        self._refuse_lost(self.all_entries)
        raise HarError(
            "no request carries the proxy's host as typed; see that host is what was typed and that the recording runs until "
            "after Save"
        )

    @staticmethod
    def _refuse_lost(found: Sequence[Entry]) -> None:
        """Say so where a body that is looked for may be one that the recording lacks."""
        for entry in found:
            kinds = [value for name, value in entry.headers.items() if name.lower() == "content-type"]
            if entry.body_lost and entry.method in _WRITES and any("multipart" in kind.lower() for kind in kinds):
                raise HarError(
                    f"the recording lacks the body of the request to {entry.plain_path}; Chromium leaves out bodies that carry a "
                    "file, so record with Firefox, or without a certificate"
                )

    def _find_sign_in(self, save: Entry) -> Entry:
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

    def _find_read(self, inside: Sequence[Entry], save: Entry) -> tuple[Entry, Tree, Tree]:
        """Return the read, its answer's tree, and the tree of the same read before the save (or MISSING)."""
        reads = [
            entry for entry in inside if entry.method == "GET" and entry.status == 200 and entry.settings is not MISSING
        ]
        host = self._candidates(save, "host")
        after: list[tuple[int, int, Entry]] = []
        earlier: list[tuple[int, int, Entry]] = []
        for entry in reads:
            found = leaves(entry.settings)
            if entry.number > save.number:
                points = sum(any(same_value(value, text) for _place, value in found) for text in self._values())
                if any(self._is_host(value) for _place, value in found) and self._has_port(found):
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

    def _find_upload(self, inside: Sequence[Entry], save: Entry) -> Entry | None:
        name = self.typed.certificate
        if not name or any(isinstance(value, FilePart) and value.filename == name for _place, value in save.leaves):
            return None
        found = [
            entry
            for entry in inside
            if entry.method in _WRITES
            and entry.number != save.number
            and 200 <= entry.status < 400
            and any(self._is_certificate(value) for _place, value in entry.leaves)
            and not any(self._is_host(value) for _place, value in entry.leaves)
        ]
        if found:
            return min(found, key=lambda entry: (abs(entry.number - save.number), entry.number))
        if any(value == name for _place, value in save.leaves):
            return None
        self._refuse_lost(inside)
        raise HarError(
            f"no request uploads a file named {name}; see that certificate is the name of the file that was chosen in the recording"
        )

    def _version(self, inside: Sequence[Entry], read: Entry, tree: Tree) -> dict[str, Any] | None:
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

    def _cloud(self, inside: Sequence[Entry]) -> Entry | None:
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

    # Which field is which.

    def _values(self) -> list[str]:
        typed = self.typed
        return [value for value in (typed.host, str(typed.port), typed.username, typed.certificate) if value]

    def _is_host(self, value: Tree) -> bool:
        return isinstance(value, str) and value.strip().lower() == self.typed.host.lower()

    def _is_certificate(self, value: Tree) -> bool:
        return (value.filename if isinstance(value, FilePart) else value) == self.typed.certificate

    def _has_port(self, found: Sequence[tuple[str, Tree]]) -> bool:
        return any(not isinstance(value, bool) and text_of(value) == str(self.typed.port) for _place, value in found)

    def _candidates(self, entry: Entry, setting: str) -> list[str]:
        return self._matching(entry.leaves, setting)

    def _matching(self, found: Sequence[tuple[str, Tree]], setting: str) -> list[str]:
        typed = self.typed
        tests: dict[str, Callable[[str, Tree], bool]] = {
            "host": lambda _place, value: self._is_host(value),
            "port": lambda _place, value: not isinstance(value, bool) and text_of(value) == str(typed.port),
            "username": lambda _place, value: value == typed.username,
            "password": lambda _place, value: value == typed.password,
            "certificate_name": lambda _place, value: isinstance(value, str) and value == typed.certificate,
            "enabled": lambda place, value: (
                value not in (None, "") and truth(value) is True and hint("enabled", place) > 1
            ),
        }
        test = tests[setting]
        return [place for place, value in found if not isinstance(value, FilePart) and test(place, value)]

    def _places(self, save: Entry, before: Tree) -> dict[str, str]:
        """Return which field of the save carries which setting."""
        found: dict[str, str] = {}
        for setting in ("host", "port", "username", "enabled"):
            if setting == "username" and not self.typed.username:
                self.notes.append("No proxy user was typed in the recording, so the profile cannot set one.")
                continue
            taken = set(found.values())
            candidates = [place for place in self._candidates(save, setting) if place not in taken]
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
        if self.typed.password and not self._candidates(save, "password"):
            raise HarError(
                "the request with the proxy's host does not carry the proxy's password as typed; record a save with it"
            )
        if not self.typed.password:
            self.notes.append("No proxy password was typed in the recording, so the profile cannot set one.")
        return found

    def _pick(self, setting: str, candidates: Sequence[str], save: Entry, before: Tree) -> str | None:
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

    def _switched_on(self, save: Entry, before: Tree) -> list[str]:
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

    def _shown(self, tree: Tree, save: Entry, places: dict[str, str], after: bool) -> dict[str, str]:
        """Return where the read shows which setting."""
        found: dict[str, str] = {}
        listed = leaves(tree)
        for setting, place in places.items():
            if setting != "enabled" and after:
                candidates = [where for where in self._matching(listed, setting) if where not in found.values()]
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
        secret = [place for place in self._candidates(save, "password") if self.typed.password]
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

    # Requests with placeholders.

    def _save_request(self, save: Entry, places: dict[str, str]) -> dict[str, Any]:
        form = save.format != "json"
        special: dict[str, Any] = {}
        for setting, place in places.items():
            special[place] = self._placeholder(setting, place, find(save.body, place), form)
        if self.typed.password:
            special |= dict.fromkeys(self._candidates(save, "password"), "${password}")
        special |= self._certificate_fields(save)
        special |= self.tokens.fields(save)
        request = self._request(save)
        request["format"] = save.format
        request["body"] = self._translate(save.body, "", special, form)
        if form and self.read_page:
            self._add_unchecked(request["body"])
        elif form:
            self.notes.append(
                "The save is a form; check boxes that were off in the recording are unknown to the profile."
            )
        return request

    def _add_unchecked(self, body: dict[str, Any]) -> None:
        """Add check boxes that were off on the recorded sensor and may be on at another."""
        for name, value in self.tree.items():
            if value is UNCHECKED and name not in body:
                body[name] = f"${{current:{self._at(pointer([name]))}}}"

    def _placeholder(self, setting: str, place: str, recorded: Tree, form: bool) -> str:
        if setting == "enabled":
            if isinstance(recorded, bool):
                return "${enabled|boolean}" if not form else "${enabled|choice=true/false}"
            if isinstance(recorded, int):
                return "${enabled|integer}"
            if self.read_page and keys_of(place)[0] in self.read_page.checkboxes:
                return f"${{enabled|checkbox={text_of(recorded)}}}"
            return f"${{enabled{on_off(text_of(recorded), form)}}}"
        if setting == "port" and isinstance(recorded, int):
            return "${port|integer}"
        return f"${{{setting}|text}}" if setting == "port" else f"${{{setting}}}"

    def _certificate_fields(self, entry: Entry) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if not self.typed.certificate:
            return found
        for place, value in entry.leaves:
            if isinstance(value, FilePart) and self._is_certificate(value):
                found[place] = {
                    "file": "${certificate}",
                    "content_type": value.content_type or "application/octet-stream",
                }
            elif value == self.typed.certificate:
                found[place] = "${certificate_name}"
                found |= self._content_beside(entry, place)
        return found

    @staticmethod
    def _content_beside(entry: Entry, place: str) -> dict[str, str]:
        """Return the fields beside a file's name that hold its content, as text or base64."""
        folder = place.rpartition("/")[0]
        found = {}
        for other, value in entry.leaves:
            if other.rpartition("/")[0] != folder or not isinstance(value, str) or other == place:
                continue
            head, mark, data = value.partition(";base64,")
            if mark and head.startswith("data:"):
                found[other] = f"{literal(head)};base64,${{certificate|base64}}"
            elif "-----BEGIN " in value:
                found[other] = "${certificate|text}"
            elif _BASE64.fullmatch(data or value):
                found[other] = "${certificate|base64}"
        return found

    def _upload_request(self, entry: Entry) -> dict[str, Any]:
        special = self._certificate_fields(entry) | self.tokens.fields(entry)
        request = self._request(entry)
        request["only_with"] = "certificate"
        request["format"] = entry.format
        request["body"] = self._translate(entry.body, "", special, entry.format != "json")
        return request

    def _sign_in_request(self, entry: Entry) -> dict[str, Any]:
        special: dict[str, Any] = {}
        for place, value in entry.leaves:
            if value == self.typed.console_password:
                special[place] = "${console_password}"
        for setting, text in (("username", self.typed.console_username),):
            candidates = [place for place, value in entry.leaves if value == text and place not in special]
            if candidates:
                special[max(candidates, key=lambda place: hint(setting, place))] = "${console_username}"
        special |= self.tokens.fields(entry)
        request = self._request(entry)
        request["format"] = entry.format
        request["body"] = self._constants_in(entry.body, "", special, "sign_in")
        return request

    def _translate(self, node: Tree, place: str, special: dict[str, Any], form: bool) -> Tree:
        """Return a part of the save with each value replaced by what stands for it."""
        if place in special:
            return special[place]
        inner = any(other.startswith(f"{place}/") for other in special)
        if isinstance(node, (dict, list)) and node:
            if place and not inner:
                current = self._current_container(node, place)
                if current is not None:
                    return current
            if isinstance(node, dict):
                members = {key: self._translate(node[key], place + pointer([key]), special, form) for key in node}
                return {key: member for key, member in members.items() if member is not MISSING}
            items = [self._translate(item, f"{place}/{index}", special, form) for index, item in enumerate(node)]
            return [item for item in items if item is not MISSING]
        if isinstance(node, FilePart):
            if node.filename:
                raise HarError(f"the save uploads a file at {place} that was not named; give its name as certificate")
            return MISSING
        current = self._current_leaf(node, place, form)
        return self._constant(node, place, "save") if current is None else current

    def _current_container(self, node: Tree, place: str) -> str | None:
        where = self.counterpart.mapped(place)
        there = MISSING if where is None else find(self.tree, where)
        if where is not None and isinstance(node, list) and isinstance(there, list):
            return self._current(where, "")
        if where is not None and same_value(there, node):
            return self._current(where, "")
        where = self.counterpart.like(place, node)
        return None if where is None else self._current(where, "")

    def _current_leaf(self, value: Tree, place: str, form: bool) -> str | None:
        where = self.counterpart.mapped(place)
        there = MISSING if where is None else find(self.tree, where)
        if where is not None and not isinstance(there, (dict, list)):
            if not same_value(there, value) and where not in self.shown:
                self.notes.append(
                    f"The save changed {place}, which is no proxy setting; the profile keeps each sensor's own value."
                )
            return self._current(where, conversion(value, there, form))
        where = self.counterpart.like(place, value)
        if where is None and is_distinctive(value):
            holding = self.counterpart.holding(value)
            if len(holding) > 1:
                self.notes.append(f"The value of {place} is in the read's answer several times: {', '.join(holding)}.")
            where = holding[0] if len(holding) == 1 else None
        return None if where is None else self._current(where, conversion(value, find(self.tree, where), form))

    def _current(self, where: str, kind: str) -> str:
        return f"${{current:{self._at(where)}{kind}}}"

    def _constants_in(self, node: Tree, place: str, special: dict[str, Any], section: str) -> Tree:
        if place in special:
            return special[place]
        if isinstance(node, dict):
            return {key: self._constants_in(node[key], place + pointer([key]), special, section) for key in node}
        if isinstance(node, list):
            return [self._constants_in(item, f"{place}/{index}", special, section) for index, item in enumerate(node)]
        if isinstance(node, FilePart):
            raise HarError(f"{section} uploads a file, which cannot be learned; record without one")
        return self._constant(node, place, section)

    def _constant(self, value: Tree, place: str, section: str) -> Tree:
        if self._names_sensor(value):
            raise HarError(
                f"{section} carries the recorded sensor's own address at {place}, and no answer shows where it comes from; this "
                "console cannot be replayed to another sensor, use the transport browser"
            )
        if is_own(place, value):
            return self._ask(place, value, section)
        if section == "save" and value not in ("", None):
            self.notes.append(
                f"The save always sends {json.dumps(value)} at {place}; see that this is right for every sensor."
            )
        return literal(value) if isinstance(value, str) else value

    def _ask(self, place: str, value: Tree, section: str) -> str:
        """List a constant for confirmation and return its placeholder."""
        stem = re.sub(r"[^A-Za-z0-9_./-]", "_", f"{section}{place}")
        name, count = stem, 1
        while name in self.constants and self.constants[name]["value"] != value:
            count += 1
            name = f"{stem}-{count}"
        if name not in self.constants:
            self.constants[name] = {"value": value, "confirmed": False}
            self.notes.append(
                f"The constant {name} was recorded and may be this sensor's own; nothing is sent before a person confirms it."
            )
        return f"${{constant:{name}}}"

    def _names_sensor(self, value: Tree) -> bool:
        host = self.recorded_host.lower()
        text = text_of(value).lower()
        if not isinstance(value, str) or not host:
            return False
        return text == host or (("." in host or ":" in host) and host in text)

    def _request(self, entry: Entry) -> dict[str, Any]:
        """Return the method, path and headers of a request."""
        headers: dict[str, str] = {}
        for name, value in entry.headers.items():
            lowered = name.lower()
            placeholder = self.tokens.header(entry, name)
            if placeholder is not None:
                headers[name] = placeholder
            elif (lowered in _KEPT_HEADERS and value.isprintable() and len(value) < 200) or (
                lowered == "content-type"
                and entry.format == "json"
                and not value.lower().startswith("application/json")
            ):
                headers[name] = literal(value)
        request: dict[str, Any] = {"method": entry.method, "path": self._path(entry)}
        if headers:
            request["headers"] = headers
        return request

    def _path(self, entry: Entry) -> str:
        path, _mark, query = entry.path.partition("?")
        segments = [self._path_part(segment, "path") for segment in path.split("/")]
        text = "/".join(segments)
        kept = []
        for part in query.split("&") if query else []:
            name, sign, value = part.partition("=")
            if re.fullmatch(r"[0-9]{10,}", value):
                continue  # the time, against caches
            token = self.tokens.placeholder_for(value)
            kept.append(f"{literal(name)}{sign}{token or self._path_part(value, name)}")
        return text + (f"?{'&'.join(kept)}" if kept else "")

    def _path_part(self, segment: str, name: str) -> str:
        if self._names_sensor(segment):
            raise HarError(
                "the recorded sensor's address is part of a request's path; this console cannot be replayed, use the transport browser"
            )
        if re.search(r"[0-9]{4,}|[0-9a-f]{8}-|[0-9]+\.[0-9]+\.[0-9]+", segment, re.IGNORECASE):
            return self._ask(f"/{name}", segment, "request")
        return literal(segment)

    def _unchanged(
        self, save: Entry, places: dict[str, str], shown: dict[str, str], inside: Sequence[Entry]
    ) -> dict[str, str]:
        """Return what is sent for a password and a certificate that stay as they are."""
        way = "current" if "password" in shown else "omit"
        secret = [place for place in self._candidates(save, "password") if self.typed.password]
        for entry in inside:
            alike = entry.method == save.method and entry.plain_path == save.plain_path and entry.number != save.number
            if not secret or not alike or find(entry.body, places["host"]) is MISSING:
                continue
            value = find(entry.body, secret[0])
            if value is MISSING:
                way = "omit"
            elif value == "":
                way = "empty"
        if way == "current" and MASK.fullmatch(text_of(find(self.tree, shown["password"]))):
            # A console that is sent its own mask might store it.
            way = "omit"
            self.notes.append(
                "The console shows a mask for a stored password, and no save without a typed one was recorded; the profile leaves "
                "the field out then, so see that the console keeps the stored one."
            )
        return {"password_unchanged": way, "certificate_unchanged": "omit"}

    def _at(self, place: str) -> str:
        keys = keys_of(place)
        if len(keys) == 1 and self.read_page and re.fullmatch(r"[A-Za-z0-9_.\[\]-]+", keys[0]):
            return keys[0]
        return place

    def _assert_no_secret(self, profile: dict[str, Any]) -> None:
        text = json.dumps(profile, ensure_ascii=False)
        secrets = {"console_password": self.typed.console_password, "password": self.typed.password}
        for name, secret in secrets.items():
            if secret and holds(text, secret):
                raise HarError(
                    f"the {name} would show up in the profile; record again with one that is no part of anything else"
                )
        for secret in self.tokens.values():
            if holds(text, secret):
                raise HarError(
                    "a cookie or a token of the recorded session would show up in the profile, which must not be; report this"
                )
        try:
            numeric = bool(ipaddress.ip_address(self.recorded_host))
        except ValueError:
            numeric = "." in self.recorded_host
        if numeric and self.recorded_host.lower() in text.lower():
            raise HarError(
                "the recorded sensor's address would show up in the profile; see that it is not typed anywhere"
            )
