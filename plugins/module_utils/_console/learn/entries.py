# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the requests and answers of an HTTP archive (HAR 1.2), as Chromium, Firefox and Playwright write it.

Private to this collection. An archive is a stranger's file: whatever it holds, HarError is all that is raised.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlsplit

from ..http.tree import MISSING, Page, Tree, json_tree, leaves


class HarError(ValueError):
    """Why nothing can be learned from a recording, in one sentence."""


@dataclass(frozen=True)
class FilePart:
    """A file in a multipart body."""

    filename: str
    content_type: str


@dataclass(frozen=True)
class Exchange:
    """One request with its answer."""

    number: int
    method: str
    origin: str
    """Scheme, host and port."""
    host: str
    path: str
    """With the query."""
    headers: dict[str, str]
    """Of the request; names as recorded, pseudo headers left out."""
    cookies: dict[str, str]
    """Of the request."""
    format: str
    """none, json, form, multipart, or other."""
    body: Tree
    body_lost: bool
    """It had a body that the recording does not hold."""
    status: int
    answer_headers: tuple[tuple[str, str], ...]
    """Names in lower case."""
    set_cookies: dict[str, str]
    answer: Tree = MISSING
    """The tree of a JSON answer."""
    page: Page | None = None
    """An HTML answer."""
    leaves: list[tuple[str, Tree]] = field(default_factory=list)
    """Of the body."""

    @property
    def plain_path(self) -> str:
        """The path without the query."""
        return self.path.partition("?")[0]

    @property
    def settings(self) -> Tree:
        """What may be settings in the answer: its tree, or the fields of its forms; else MISSING."""
        if self.answer is not MISSING:
            return self.answer if isinstance(self.answer, (dict, list)) else MISSING
        return self.page.fields if self.page and self.page.fields else MISSING


_STATIC = re.compile(r"\.(js|mjs|css|map|png|jpe?g|gif|svg|ico|webp|woff2?|ttf|eot|wasm|mp4)$", re.IGNORECASE)
_LARGEST = 2_000_000
"""Characters of an answer that is looked at."""


def entries(har: object) -> list[Exchange]:
    """Return the requests of a recording in their order.

    Raises:
        HarError: it is no recording.
    """
    log = har.get("log") if isinstance(har, Mapping) else None
    listed = log.get("entries") if isinstance(log, Mapping) else None
    if not isinstance(listed, list):
        raise HarError("this is no HAR file: it has no log.entries; export the recording as HAR with content")
    found = [_entry(number, item) for number, item in enumerate(listed)]
    return [entry for entry in found if entry is not None]


def _entry(number: int, item: object) -> Exchange | None:
    request, response = _part(item, "request"), _part(item, "response")
    url = _text(request.get("url"))
    try:
        parts = urlsplit(url)
        origin, host = f"{parts.scheme}://{parts.netloc}".lower(), parts.hostname or ""
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host:
        return None
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {name: value for name, value in _pairs(request.get("headers")) if not name.startswith(":")}
    lowered = {name.lower(): value for name, value in headers.items()}
    answer_headers = tuple((name.lower(), value) for name, value in _pairs(response.get("headers")))
    kind, body, lost = _body(request, lowered)
    answer, page = _answer(response, answer_headers, parts.path)
    status = response.get("status")
    return Exchange(
        number=number,
        method=_text(request.get("method")).upper(),
        origin=origin,
        host=host,
        path=path,
        headers=headers,
        cookies=dict(_pairs(request.get("cookies"))) | dict(_cookie_pairs(lowered.get("cookie", ""), ";")),
        format=kind,
        body=body,
        body_lost=lost,
        status=status if isinstance(status, int) else 0,
        answer_headers=answer_headers,
        set_cookies=dict(_pairs(response.get("cookies"))) | _set_cookies(answer_headers),
        answer=answer,
        page=page,
        leaves=[] if body is MISSING else leaves(body),
    )


def _part(item: object, key: str) -> Mapping[str, Any]:
    part = item.get(key) if isinstance(item, Mapping) else None
    return part if isinstance(part, Mapping) else {}


def _text(value: object) -> str:
    # A lone surrogate, which JSON may hold, cannot be encoded again.
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _pairs(listed: object) -> Iterator[tuple[str, str]]:
    for item in listed if isinstance(listed, list) else []:
        if isinstance(item, Mapping) and _text(item.get("name")):
            yield _text(item.get("name")), _text(item.get("value"))


def _cookie_pairs(header: str, separator: str) -> Iterator[tuple[str, str]]:
    for part in header.split(separator):
        name, sign, value = part.partition("=")
        if sign and name.strip():
            yield name.strip(), value.strip().strip('"')


def _set_cookies(headers: tuple[tuple[str, str], ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in headers:
        # Chromium writes several Set-Cookie headers as lines of one.
        for line in value.split("\n") if name == "set-cookie" else []:
            found |= dict(list(_cookie_pairs(line.partition(";")[0], "\n")))
    return found


def _body(request: Mapping[str, Any], headers: Mapping[str, str]) -> tuple[str, Tree, bool]:
    data = _part(request, "postData")
    mime = _text(data.get("mimeType")) or headers.get("content-type", "")
    text, params = _text(data.get("text")), data.get("params")
    if data.get("encoding") == "base64":
        text = _decoded(text)
    listed = params if isinstance(params, list) else []
    size = request.get("bodySize")
    if not text and not listed:
        sent = isinstance(size, int) and size > 0
        return "none", MISSING, sent or headers.get("content-length", "0").strip() not in ("", "0")
    kind = mime.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        parts = list(_multipart(text, mime)) or list(_params(listed))
        return "multipart", _fields(parts), not parts
    if kind == "application/x-www-form-urlencoded":
        pairs = parse_qsl(text, keep_blank_values=True) if text else list(_decoded_params(listed))
        return "form", _fields(pairs), not pairs
    tree = json_tree(text)
    if isinstance(tree, (dict, list)):
        return "json", tree, False
    return "other", MISSING, False


def _fields(pairs: list[tuple[str, Any]]) -> Tree:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            old = found[name]
            found[name] = [*(old if isinstance(old, list) else [old]), value]
        else:
            found[name] = value
    return found


def _params(listed: list[Any]) -> Iterator[tuple[str, Any]]:
    for item in listed:
        if isinstance(item, Mapping) and _text(item.get("name")):
            if isinstance(item.get("fileName"), str):
                yield _text(item["name"]), FilePart(_text(item["fileName"]), _text(item.get("contentType")))
            else:
                yield _text(item["name"]), _text(item.get("value"))


def _decoded_params(listed: list[Any]) -> Iterator[tuple[str, Any]]:
    # Chromium writes them as they went over the wire, others decoded; a "%2F" tells.
    pairs = list(_params(listed))
    raw = any(isinstance(value, str) and re.search(r"%[0-9A-Fa-f]{2}", value) for _name, value in pairs)
    for name, value in pairs:
        yield (unquote_plus(name), unquote_plus(value)) if raw and isinstance(value, str) else (name, value)


def _multipart(text: str, mime: str) -> Iterator[tuple[str, Any]]:
    match = re.search(r'boundary="?([^";]+)"?', mime)
    boundary = f"--{match[1].strip()}" if match else ""
    if not boundary or boundary not in text:
        return
    # What stands before the first boundary (Firefox: the request's headers) is not part of it.
    for chunk in text.split(boundary)[1:]:
        if chunk.startswith("--"):
            return
        normal = chunk.replace("\r\n", "\n").removeprefix("\n")
        head, _line, content = normal.partition("\n\n")
        disposition = re.search(
            r'^content-disposition:.*?\bname="([^"]*)"(?:.*?filename="([^"]*)")?', head, re.I | re.M
        )
        if not disposition:
            continue
        name, filename = disposition[1], disposition[2]
        if filename is None:
            yield name, content.removesuffix("\n")
        else:
            kind = re.search(r"^content-type:\s*([^\s;]+)", head, re.IGNORECASE | re.MULTILINE)
            yield name, FilePart(filename, kind[1] if kind else "")


def _answer(response: Mapping[str, Any], headers: tuple[tuple[str, str], ...], path: str) -> tuple[Tree, Page | None]:
    content = _part(response, "content")
    mime = (_text(content.get("mimeType")) or dict(headers).get("content-type", "")).lower()
    text = _text(content.get("text"))
    if not text or _STATIC.search(path) or re.search(r"javascript|css|image/|font|video|audio|wasm", mime):
        return MISSING, None
    if content.get("encoding") == "base64":
        text = _decoded(text)
    if len(text) > _LARGEST:
        return MISSING, None
    if "html" in mime:
        return MISSING, Page(text)
    return json_tree(text), None


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=False).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""
