# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the requests of a profile, with a placeholder for whatever differs. Private to this collection."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..http.template import literal
from ..http.tree import MISSING, UNCHECKED, Page, Tree, find, keys_of, pointer, text_of
from ..messages import MASK
from ..secrets import holds
from .entries import Exchange, FilePart, HarError
from .match import Counterpart, conversion, hint, is_distinctive, is_own, on_off, same_value
from .tokens import Tokens
from .typed import Typed

_KEPT_HEADERS = ("accept", "x-requested-with")
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4}\s*){12,}[A-Za-z0-9+/=\s]*")


@dataclass
class Writer:
    """Turns recorded requests into those of a profile. Every method raises HarError where that cannot be done."""

    typed: Typed
    notes: list[str]
    """Sentences for the person who reviews the profile."""
    tree: Tree
    """What the read shows."""
    counterpart: Counterpart
    tokens: Tokens
    shown: Collection[str]
    """Where the read shows proxy settings."""
    read_page: Page | None
    recorded_host: str
    constants: dict[str, dict[str, Any]] = field(default_factory=dict)

    def save_request(self, save: Exchange, places: dict[str, str]) -> dict[str, Any]:
        """Return the save."""
        form = save.format != "json"
        special: dict[str, Any] = {}
        for setting, place in places.items():
            special[place] = self._placeholder(setting, place, find(save.body, place), form)
        if self.typed.password:
            special |= dict.fromkeys(self.typed.places(save.leaves, "password"), "${password}")
        special |= self._certificate_fields(save)
        special |= self.tokens.fields(save)
        request = self.request(save)
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
                body[name] = f"${{current:{self.at(pointer([name]))}}}"

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

    def _certificate_fields(self, entry: Exchange) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if not self.typed.certificate:
            return found
        for place, value in entry.leaves:
            if isinstance(value, FilePart) and self.typed.is_certificate(value):
                found[place] = {
                    "file": "${certificate}",
                    "content_type": value.content_type or "application/octet-stream",
                }
            elif value == self.typed.certificate:
                found[place] = "${certificate_name}"
                found |= self._content_beside(entry, place)
        return found

    @staticmethod
    def _content_beside(entry: Exchange, place: str) -> dict[str, str]:
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

    def upload_request(self, entry: Exchange) -> dict[str, Any]:
        """Return the certificate's upload."""
        special = self._certificate_fields(entry) | self.tokens.fields(entry)
        request = self.request(entry)
        request["only_with"] = "certificate"
        request["format"] = entry.format
        request["body"] = self._translate(entry.body, "", special, entry.format != "json")
        return request

    def sign_in_request(self, entry: Exchange) -> dict[str, Any]:
        """Return the sign-in."""
        special: dict[str, Any] = {}
        for place, value in entry.leaves:
            if value == self.typed.console_password:
                special[place] = "${console_password}"
        for setting, text in (("username", self.typed.console_username),):
            candidates = [place for place, value in entry.leaves if value == text and place not in special]
            if candidates:
                special[max(candidates, key=lambda place: hint(setting, place))] = "${console_username}"
        special |= self.tokens.fields(entry)
        request = self.request(entry)
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
        return f"${{current:{self.at(where)}{kind}}}"

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

    def request(self, entry: Exchange) -> dict[str, Any]:
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

    def _path(self, entry: Exchange) -> str:
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

    def unchanged(
        self, save: Exchange, places: dict[str, str], shown: dict[str, str], inside: Sequence[Exchange]
    ) -> dict[str, str]:
        """Return what is sent for a password and a certificate that stay as they are."""
        way = "current" if "password" in shown else "omit"
        secret = self.typed.places(save.leaves, "password")
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

    def at(self, place: str) -> str:
        """Return how a profile names a place in the read."""
        keys = keys_of(place)
        if len(keys) == 1 and self.read_page and re.fullmatch(r"[A-Za-z0-9_.\[\]-]+", keys[0]):
            return keys[0]
        return place

    def assert_no_secret(self, profile: dict[str, Any]) -> None:
        """Refuse a profile that would show a secret, or the recorded sensor."""
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
