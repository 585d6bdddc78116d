# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Traces the tokens in recorded requests back to the answers that gave them. Private to this collection."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from ..http.template import literal
from ..http.tree import keys_of, leaves
from .entries import Exchange, HarError
from .match import is_token

Found: TypeAlias = "tuple[str, str, str | None]"
"""Kind, name or place, and path of a source."""

_ORDINARY = re.compile(
    r"accept.*|connection|content-.*|cookie|host|origin|referer|user-agent|sec-.*|dnt|priority|pragma|cache-control|te|if-.*|"
    r"upgrade.*|x-requested-with|date|range",
    re.IGNORECASE,
)
_NAMED = re.compile(r"csrf|xsrf|token|nonce", re.IGNORECASE)
_SCHEME = re.compile(r"(Bearer|Token|JWT|Basic)\s+", re.IGNORECASE)


class Tokens:
    """The tokens of the requests that will be replayed."""

    def __init__(self, entries: Sequence[Exchange], replayed: Sequence[Exchange], sign_in: Exchange) -> None:
        self._entries = entries
        self._sign_in = sign_in
        self._names: dict[str, str] = {}
        """Value to the token's name."""
        self._found: dict[str, list[Found]] = {}
        self._uses: list[tuple[Exchange, str]] = []
        for entry in replayed:
            for value in self._used(entry):
                self._trace(entry, value)
        for name in self._found:
            self._widen(name, replayed)

    @property
    def sources(self) -> dict[str, list[dict[str, str]]]:
        """The profile's tokens."""
        return {
            name: [{kind: at} | ({"path": path} if path else {}) for kind, at, path in found]
            for name, found in self._found.items()
        }

    def values(self) -> set[str]:
        """Return every token and cookie of the recording that is worth the name of a secret."""
        found = {value for value in self._names if len(value) >= 6}
        for entry in self._entries:
            cookies = [*entry.cookies.values(), *entry.set_cookies.values()]
            secrets = [value for name, value in entry.headers.items() if name.lower() == "authorization"]
            found |= {value for value in (*cookies, *(_bare(secret) for secret in secrets)) if is_token(value)}
        return found

    def fields(self, entry: Exchange) -> dict[str, str]:
        """Return the fields of a body that carry a token, with their placeholders."""
        return {
            place: f"${{{self._names[value]}}}"
            for place, value in entry.leaves
            if isinstance(value, str) and value in self._names
        }

    def header(self, entry: Exchange, name: str) -> str | None:
        """Return the placeholder for a header that carries a token, or None."""
        if _ORDINARY.fullmatch(name):
            return None
        value = entry.headers[name]
        bare = _bare(value)
        if bare not in self._names:
            return None
        return f"{literal(value[: len(value) - len(bare)])}${{{self._names[bare]}}}"

    def placeholder_for(self, value: str) -> str | None:
        """Return the placeholder for a value in a path, or None."""
        return f"${{{self._names[value]}}}" if value in self._names else None

    def preparation(self, before: Sequence[Exchange], sign_in: Exchange) -> list[Exchange]:
        """Return the GETs that have to come before the sign-in: those that set its cookies or give its tokens."""
        needed: list[Exchange] = []
        cookies: set[str] = set()
        wanted = {value for entry, value in self._uses if entry is sign_in}
        for entry in before:
            if entry.method != "GET" or not 200 <= entry.status < 400:
                continue
            new = set(entry.set_cookies) - cookies
            gives = any(self._gives(entry, value) for value in wanted)
            if (new or gives) and entry.plain_path not in {other.plain_path for other in needed}:
                needed.append(entry)
                cookies |= set(entry.set_cookies)
        if wanted and not any(self._gives(entry, value) for entry in needed for value in wanted):
            # Its cookie was there before the recording; the first page is what sets it.
            pages = [
                entry for entry in before if entry.method == "GET" and entry.page is not None and entry.status == 200
            ]
            needed += pages[:1]
        return needed

    def lacking(self, made: Sequence[Exchange]) -> list[Exchange]:
        """Return the GETs that have to follow the sign-in for tokens that none of the requests made so far gives."""
        needed: list[Exchange] = []
        for user, value in self._uses:
            if any(entry.number < user.number and self._gives(entry, value) for entry in (*made, *needed)):
                continue
            name = self._names[value]
            # A session has tokens of its own: what was offered before the sign-in may be another one.
            session = [
                entry for entry in (*made, *needed) if entry.number >= self._sign_in.number and entry is not user
            ]
            if any(self._offers(entry, name) for entry in session):
                continue
            gave = [entry for entry in self._entries if entry.number < user.number and self._gives(entry, value)]
            plain = [entry for entry in gave if entry.method == "GET"]
            if plain:
                needed.append(plain[-1])
        return needed

    def _used(self, entry: Exchange) -> Iterable[str]:
        for name, value in entry.headers.items():
            bare = _bare(value)
            if not _ORDINARY.fullmatch(name) and (is_token(bare) or (_NAMED.search(name) and bare)):
                if self._sources(entry, bare):
                    yield bare
                elif _NAMED.search(name) or name.lower() == "authorization":
                    raise HarError(
                        f"the request header {name} carries a value that no earlier answer holds; start the recording before the page is "
                        "loaded, and export it with sensitive data (Chromium: 'Allow to generate HAR with sensitive data')"
                    )
        for place, value in entry.leaves:
            named = _NAMED.search((keys_of(place) or [""])[-1])
            if (
                isinstance(value, str)
                and (is_token(value) or (named and value))
                and self._secret_sources(entry, value, bool(named))
            ):
                yield value
        for part in entry.path.partition("?")[2].split("&"):
            value = part.partition("=")[2]
            if is_token(value) and not value.isdigit() and self._secret_sources(entry, value, False):
                yield value

    def _secret_sources(self, entry: Exchange, value: str, named: bool) -> list[Found]:
        """Return the sources of a field's value, if it is a token and not merely a setting that an answer shows."""
        found = self._sources(entry, value)
        # Nothing that a page shows is sent at a sign-in but tokens.
        telling = any(kind in ("cookie", "meta", "header") or _NAMED.search(at) for kind, at, _path in found)
        hidden = any(
            other.page.fields.get(name) == value
            for other in self._entries
            if other.number < entry.number and other.page
            for name in other.page.hidden
        )
        return found if named or telling or hidden or entry is self._sign_in else []

    def _trace(self, entry: Exchange, value: str) -> None:
        self._uses.append((entry, value))
        found = self._sources(entry, value)
        keys = {item[:2] for item in found}
        name = self._names.get(value) or next(
            (name for name, known in self._found.items() if keys & {item[:2] for item in known}), None
        )
        if name is None:
            name = "csrf" if not self._found else f"token{len(self._found) + 1}"
        self._names[value] = name
        known = self._found.setdefault(name, [])
        known += [item for item in found if item not in known]

    def _widen(self, name: str, replayed: Sequence[Exchange]) -> None:
        """Add where later answers of the replayed requests refresh the token, told by its name."""
        known = self._found[name]
        headers = {at for kind, at, _path in known if kind == "header"}
        last = {keys_of(at)[-1] for kind, at, _path in known if kind == "json" and keys_of(at)}
        for entry in replayed:
            for header, value in entry.answer_headers:
                if re.search("csrf|xsrf", header) and is_token(value) and header not in headers and name == "csrf":
                    headers.add(header)
                    known.append(("header", header, None))
            for place, value in leaves(entry.answer):
                item = ("json", place, entry.plain_path)
                if (
                    isinstance(value, str)
                    and is_token(value)
                    and (keys_of(place) or [""])[-1] in last
                    and item not in known
                ):
                    known.append(item)

    def _sources(self, user: Exchange, value: str) -> list[Found]:
        found: list[Found] = []
        for entry in self._entries:
            if entry.number > user.number:
                break
            found += [("cookie", name, None) for name, text in entry.cookies.items() if text == value]
            if entry.number < user.number:
                found += self._in_answer(entry, value)
        return list(dict.fromkeys(found))

    @staticmethod
    def _in_answer(entry: Exchange, value: str) -> list[Found]:
        found: list[Found] = [("cookie", name, None) for name, text in entry.set_cookies.items() if text == value]
        found += [
            ("header", name, None)
            for name, text in entry.answer_headers
            if text == value and name not in ("set-cookie", "location")
        ]
        if entry.page:
            found += [("meta", name, None) for name, text in entry.page.meta.items() if text == value]
            found += [("input", name, None) for name, text in entry.page.fields.items() if text == value]
        found += [("json", place, entry.plain_path) for place, text in leaves(entry.answer) if text == value]
        return found

    def _gives(self, entry: Exchange, value: str) -> bool:
        return bool(self._in_answer(entry, value))

    def _offers(self, entry: Exchange, name: str) -> bool:
        """Say whether an answer has a field from which the token is taken, with whatever value."""
        kinds = {(kind, at) for kind, at, path in self._found[name] if path in (None, entry.plain_path)}
        page = entry.page
        return any(
            (kind == "header" and at in dict(entry.answer_headers))
            or (kind == "cookie" and at in entry.set_cookies)
            or (kind == "meta" and page is not None and at in page.meta)
            or (kind == "input" and page is not None and at in page.fields)
            for kind, at in kinds
        )


def _bare(value: str) -> str:
    return _SCHEME.sub("", value, count=1)
