# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The console profile: how one generation of a console signs in, reads and saves, as learned from a recording.

Private to this collection. docs/console-profile.md describes the file. Nothing here knows a route of a real console.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..model import CONNECTED, ISSUES, UnexpectedError
from .template import Placeholder, TemplateError, placeholders
from .tree import Tree, too_deep

FORMAT = 1
"""Version of the profile's own form."""

SETTINGS = ("enabled", "host", "port", "username", "password", "password_set", "certificate")
"""What read.fields may name."""

PUSHED = ("enabled", "host", "port", "username", "password", "certificate", "certificate_name")
"""Placeholders that stand for what is pushed."""

_SIGN_IN = ("console_username", "console_password")
_KINDS = ("cookie", "header", "meta", "input", "json")
_METHODS = ("GET", "POST", "PUT", "PATCH")
_FORMATS = ("none", "json", "form", "multipart")
_REQUEST_KEYS = ("method", "path", "headers", "format", "body", "only_with")


class ProfileError(UnexpectedError, ValueError):
    """A mistake in a profile, in one sentence."""


@dataclass(frozen=True)
class ProfileRequest:
    """One request with placeholders."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    format: str = "none"
    body: Tree = None
    only_with: str | None = None
    """"certificate": only sent when one is uploaded."""


@dataclass(frozen=True)
class Source:
    """Where answers carry a token."""

    kind: str
    """cookie, header, meta, input or json."""
    at: str
    """The name, or the JSON pointer."""
    path: str | None = None
    """Only answers to this path, without the query; None for all."""


@dataclass(frozen=True)
class SignIn:
    """How to sign in."""

    request: ProfileRequest
    prepare: tuple[ProfileRequest, ...] = ()
    after: tuple[ProfileRequest, ...] = ()
    status: int | None = None
    """What a successful sign-in answers, before any redirect is followed; None for anything below 400."""


@dataclass(frozen=True)
class Read:
    """Where the settings are read."""

    request: ProfileRequest
    format: str
    """json or html."""
    fields: dict[str, str]
    """Setting to its place in the answer."""


@dataclass(frozen=True)
class Save:
    """How the settings are saved."""

    requests: tuple[ProfileRequest, ...]
    password_unchanged: str = "omit"  # noqa: S105 - not a password
    """omit, empty or current."""
    certificate_unchanged: str = "omit"
    """omit or empty."""


@dataclass(frozen=True)
class Version:
    """Where the software's version is shown."""

    at: str | None = None
    """Place in a JSON answer; None to look for "Version 1.2.3" in the answer's text."""
    request: ProfileRequest | None = None
    """None for the answer of read."""


@dataclass(frozen=True)
class CloudPane:
    """Where the sensor's word on its cloud connection is shown."""

    request: ProfileRequest
    connected: str = CONNECTED
    issues: dict[str, str] = field(default_factory=lambda: {issue: issue for issue in ISSUES})
    """Text in the answer to the issue class that it means."""


@dataclass(frozen=True)
class Constant:
    """A recorded value that goes to every sensor as it is."""

    value: Tree
    confirmed: bool


@dataclass(frozen=True)
class Profile:
    """Everything that is known of one generation of a console."""

    sign_in: SignIn
    read: Read
    save: Save
    tokens: dict[str, tuple[Source, ...]] = field(default_factory=dict)
    version: Version | None = None
    cloud: CloudPane | None = None
    constants: dict[str, Constant] = field(default_factory=dict)

    @property
    def unconfirmed(self) -> list[str]:
        """Names of the constants that nobody has confirmed."""
        return [name for name, constant in self.constants.items() if not constant.confirmed]

    @property
    def carried(self) -> set[str]:
        """Names of the settings that the save can carry."""
        return {
            placeholder.name
            for request in self.save.requests
            for placeholder in _placeholders(request)
            if placeholder.name in PUSHED
        }


def load(data: object) -> Profile:
    """Return the profile that a dict describes.

    Raises:
        ProfileError: it is not one; says where and why.
    """
    top = _mapping(data, "the profile")
    _known(top, ("format", "tokens", "sign_in", "read", "save", "version", "cloud", "constants"), "the profile")
    if top.get("format") != FORMAT:
        raise ProfileError(
            f"format is {top.get('format')!r}, and this collection reads {FORMAT}; learn the profile again"
        )
    profile = Profile(
        tokens=_tokens(top.get("tokens", {})),
        sign_in=_sign_in(top.get("sign_in")),
        read=_read(top.get("read")),
        save=_save(top.get("save")),
        version=_version(top["version"]) if top.get("version") is not None else None,
        cloud=_cloud(top["cloud"]) if top.get("cloud") is not None else None,
        constants=_constants(top.get("constants", {})),
    )
    _check_placeholders(profile)
    return profile


def dump(profile: Profile) -> dict[str, Any]:
    """Return the dict that load() reads."""
    found: dict[str, Any] = {"format": FORMAT}
    if profile.constants:
        found["constants"] = {
            name: {"value": constant.value, "confirmed": constant.confirmed}
            for name, constant in profile.constants.items()
        }
    if profile.tokens:
        found["tokens"] = {name: [_source(source) for source in sources] for name, sources in profile.tokens.items()}
    sign_in: dict[str, Any] = {"request": _request_dict(profile.sign_in.request)}
    if profile.sign_in.prepare:
        sign_in = {"prepare": [_request_dict(request) for request in profile.sign_in.prepare], **sign_in}
    if profile.sign_in.status is not None:
        sign_in["status"] = profile.sign_in.status
    if profile.sign_in.after:
        sign_in["after"] = [_request_dict(request) for request in profile.sign_in.after]
    found["sign_in"] = sign_in
    found["read"] = {
        "request": _request_dict(profile.read.request),
        "format": profile.read.format,
        "fields": dict(profile.read.fields),
    }
    found["save"] = {
        "requests": [_request_dict(request) for request in profile.save.requests],
        "password_unchanged": profile.save.password_unchanged,
        "certificate_unchanged": profile.save.certificate_unchanged,
    }
    if profile.version:
        version: dict[str, Any] = {}
        if profile.version.request:
            version["request"] = _request_dict(profile.version.request)
        if profile.version.at is not None:
            version["at"] = profile.version.at
        found["version"] = version
    if profile.cloud:
        found["cloud"] = {
            "request": _request_dict(profile.cloud.request),
            "connected": profile.cloud.connected,
            "issues": dict(profile.cloud.issues),
        }
    return found


def _request_dict(request: ProfileRequest) -> dict[str, Any]:
    found: dict[str, Any] = {"method": request.method, "path": request.path}
    if request.only_with:
        found["only_with"] = request.only_with
    if request.headers:
        found["headers"] = dict(request.headers)
    if request.format != "none":
        found["format"] = request.format
        found["body"] = request.body
    return found


def _source(source: Source) -> dict[str, str]:
    return {source.kind: source.at} | ({"path": source.path} if source.path is not None else {})


def _mapping(data: object, where: str) -> Mapping[str, Any]:
    if not isinstance(data, Mapping) or not all(isinstance(key, str) for key in data):
        raise ProfileError(f"{where} must be a mapping with text keys, and is not")
    return data


def _known(data: Mapping[str, Any], keys: tuple[str, ...], where: str) -> None:
    for key in data:
        if key not in keys:
            raise ProfileError(f"{where} has the unknown key {key!r}; known are {', '.join(keys)}")


def _text(data: Mapping[str, Any], key: str, where: str, default: str | None = None) -> str:
    value = data.get(key, default)
    if not isinstance(value, str):
        raise ProfileError(f"{where}.{key} must be a text, and is {'missing' if value is None else 'not'}")
    return value


def _choice(data: Mapping[str, Any], key: str, where: str, choices: tuple[str, ...], default: str | None = None) -> str:
    value = _text(data, key, where, default)
    if value not in choices:
        raise ProfileError(f"{where}.{key} is {value!r}; use one of {', '.join(choices)}")
    return value


def _texts(data: object, where: str) -> dict[str, str]:
    found = _mapping(data, where)
    for key, value in found.items():
        if not isinstance(value, str):
            raise ProfileError(f"{where}.{key} must be a text, and is not")
    return dict(found)


def _request(data: object, where: str) -> ProfileRequest:
    found = _mapping(data, where)
    _known(found, _REQUEST_KEYS, where)
    method = _choice(found, "method", where, _METHODS)
    path = _text(found, "path", where)
    if not path.startswith("/") or path.startswith("//") or not path.isprintable() or " " in path or not path.isascii():
        raise ProfileError(f"{where}.path is {path!r}; it must be ASCII without blanks and start with one slash")
    headers = _texts(found.get("headers", {}), f"{where}.headers")
    for name, value in headers.items():
        if not name or not all(mark.isalnum() or mark in "-_" for mark in name) or not (name + value).isprintable():
            raise ProfileError(f"{where}.headers has {name!r}, which cannot be a header's name or value")
    kind = _choice(found, "format", where, _FORMATS, "none")
    body = found.get("body")
    if too_deep(body):
        raise ProfileError(f"{where}.body has too many levels to be a request of a settings screen")
    if kind in ("form", "multipart"):
        _form(body, f"{where}.body", kind)
    elif kind == "none" and body is not None:
        raise ProfileError(f"{where} has a body and no format; name its format")
    if method == "GET" and kind != "none":
        raise ProfileError(f"{where} is a GET with a body; use another method")
    only_with = found.get("only_with")
    if only_with not in (None, "certificate"):
        raise ProfileError(f"{where}.only_with is {only_with!r}; it may only be certificate")
    return ProfileRequest(method, path, headers, kind, body, only_with)


def _form(body: object, where: str, kind: str) -> None:
    for name, value in _mapping(body, where).items():
        if isinstance(value, Mapping) and kind == "multipart":
            part = _mapping(value, f"{where}.{name}")
            _known(part, ("file", "content_type"), f"{where}.{name}")
            if part.get("file") != "${certificate}":
                raise ProfileError(f"{where}.{name}.file must be ${{certificate}}; no other file can be uploaded")
            _text(part, "content_type", f"{where}.{name}", "application/octet-stream")
            continue
        for item in value if isinstance(value, list) else [value]:
            if not isinstance(item, (str, int, float, bool)):
                raise ProfileError(f"{where}.{name} must be a text or a list of texts, as forms have")


def _requests(data: object, where: str) -> tuple[ProfileRequest, ...]:
    if not isinstance(data, (list, tuple)):
        raise ProfileError(f"{where} must be a list of requests, and is not")
    return tuple(_request(item, f"{where}[{index}]") for index, item in enumerate(data))


def _tokens(data: object) -> dict[str, tuple[Source, ...]]:
    found = {}
    for name, sources in _mapping(data, "tokens").items():
        if name in (*PUSHED, *_SIGN_IN, "current", "constant") or not (name.isidentifier() and name.islower()):
            raise ProfileError(
                f"tokens has the name {name!r}; use lower-case letters and a name that has no other meaning"
            )
        if not isinstance(sources, list) or not sources:
            raise ProfileError(f"tokens.{name} must be a list of the places where answers carry the token")
        found[name] = tuple(_token_source(item, f"tokens.{name}[{index}]") for index, item in enumerate(sources))
    return found


def _token_source(data: object, where: str) -> Source:
    item = _texts(data, where)
    _known(item, (*_KINDS, "path"), where)
    kinds = [kind for kind in _KINDS if kind in item]
    if len(kinds) != 1:
        raise ProfileError(f"{where} must have exactly one of {', '.join(_KINDS)}")
    return Source(kinds[0], item[kinds[0]], item.get("path"))


def _sign_in(data: object) -> SignIn:
    found = _mapping(data, "sign_in")
    _known(found, ("prepare", "request", "status", "after"), "sign_in")
    status = found.get("status")
    if status is not None and (isinstance(status, bool) or not isinstance(status, int) or not 200 <= status < 400):
        raise ProfileError("sign_in.status must be the status of a success, from 200 to 399")
    return SignIn(
        _request(found.get("request"), "sign_in.request"),
        _requests(found.get("prepare", []), "sign_in.prepare"),
        _requests(found.get("after", []), "sign_in.after"),
        status,
    )


def _read(data: object) -> Read:
    found = _mapping(data, "read")
    _known(found, ("request", "format", "fields"), "read")
    fields = _texts(found.get("fields"), "read.fields")
    _known(fields, SETTINGS, "read.fields")
    for name in ("enabled", "host", "port"):
        if name not in fields:
            raise ProfileError(f"read.fields lacks {name}; say where the answer shows it")
    return Read(
        _request(found.get("request"), "read.request"), _choice(found, "format", "read", ("json", "html")), fields
    )


def _save(data: object) -> Save:
    found = _mapping(data, "save")
    _known(found, ("requests", "password_unchanged", "certificate_unchanged"), "save")
    requests = _requests(found.get("requests"), "save.requests")
    if not requests:
        raise ProfileError("save.requests is empty; it must hold the request that saves")
    return Save(
        requests,
        _choice(found, "password_unchanged", "save", ("omit", "empty", "current"), "omit"),
        _choice(found, "certificate_unchanged", "save", ("omit", "empty"), "omit"),
    )


def _version(data: object) -> Version:
    found = _mapping(data, "version")
    _known(found, ("request", "at"), "version")
    at = found.get("at")
    if at is not None and not isinstance(at, str):
        raise ProfileError("version.at must be a text: the place of the version in the answer")
    request = found.get("request")
    return Version(at, None if request is None else _request(request, "version.request"))


def _cloud(data: object) -> CloudPane:
    found = _mapping(data, "cloud")
    _known(found, ("request", "connected", "issues"), "cloud")
    issues = _texts(found.get("issues", {issue: issue for issue in ISSUES}), "cloud.issues")
    connected = _text(found, "connected", "cloud", CONNECTED)
    if not connected or not all(issues):
        raise ProfileError("cloud has an empty text, which every answer holds; write the text that the answer shows")
    return CloudPane(_request(found.get("request"), "cloud.request"), connected, issues)


def _constants(data: object) -> dict[str, Constant]:
    found = {}
    for name, item in _mapping(data, "constants").items():
        constant = _mapping(item, f"constants.{name}")
        _known(constant, ("value", "confirmed"), f"constants.{name}")
        if "value" not in constant or not isinstance(constant.get("confirmed"), bool):
            raise ProfileError(f"constants.{name} must have a value, and confirmed as true or false")
        found[name] = Constant(constant["value"], constant["confirmed"])
    return found


def _placeholders(request: ProfileRequest) -> Iterator[Placeholder]:
    yield from placeholders([request.path, dict(request.headers), request.body])


def _check_placeholders(profile: Profile) -> None:
    common = (*profile.tokens, "constant")
    places: list[tuple[str, ProfileRequest, tuple[str, ...]]] = [("read", profile.read.request, common)]
    sign_in = profile.sign_in
    places += [
        ("sign_in", request, (*common, *_SIGN_IN)) for request in (*sign_in.prepare, sign_in.request, *sign_in.after)
    ]
    places += [("save", request, (*common, *PUSHED, "current")) for request in profile.save.requests]
    if profile.version and profile.version.request:
        places.append(("version", profile.version.request, common))
    if profile.cloud:
        places.append(("cloud", profile.cloud.request, common))
    for where, request, names in places:
        try:
            found = list(_placeholders(request))
        except TemplateError as error:
            raise ProfileError(f"{where}: {error}") from None
        for placeholder in found:
            _check_placeholder(placeholder, where, names, profile)
    carried = profile.carried
    for name in ("enabled", "host", "port"):
        if name not in carried:
            raise ProfileError(f"save carries no ${{{name}}}; without it nothing could be set")
    if profile.save.password_unchanged == "current" and "password" not in profile.read.fields:  # noqa: S105
        raise ProfileError("save.password_unchanged is current, and read.fields has no password to take it from")


def _check_placeholder(placeholder: Placeholder, where: str, names: tuple[str, ...], profile: Profile) -> None:
    if placeholder.name not in names:
        raise ProfileError(
            f"{where} has ${{{placeholder.name}}}, which has no value there; known are {', '.join(names)}"
        )
    if (placeholder.argument is not None) != (placeholder.name in ("current", "constant")):
        raise ProfileError(f"{where} has ${{{placeholder.name}}} with or without a ':' where the other is right")
    if placeholder.name == "constant" and placeholder.argument not in profile.constants:
        raise ProfileError(f"{where} has ${{constant:{placeholder.argument}}}, which is not listed under constants")
