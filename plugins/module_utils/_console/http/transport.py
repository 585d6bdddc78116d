# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Operates a console by replaying its own requests, as a profile describes them. Private to this collection.

The vendor documents no interface; what is sent and where comes from the profile that a person recorded and reviewed.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterable
from urllib.parse import urlencode

from ..messages import LOCKED, MASK, NOT_QUOTED, NUMBER, VERSION, judged, locked, refused
from ..model import (
    Account,
    ClientCertificate,
    Cloud,
    ExpiredError,
    ProxySettings,
    Push,
    Reading,
    RejectedError,
    SignInError,
    Trust,
    UnexpectedError,
    UnreachableError,
    keep,
)
from .profile import Profile, ProfileRequest
from .template import Placeholder, Resolve, TemplateError, render, render_path, truth
from .tree import MISSING, Nothing, Tree, find, said, text_of
from .wire import HttpAnswer, Wire


class HttpConsole:
    """A console behind a profile."""

    def __init__(self, url: str, account: Account, trust: Trust, profile: Profile, timeout: float) -> None:
        if profile.unconfirmed:
            raise UnexpectedError(
                f"the profile sends recorded values that nobody has confirmed: {', '.join(profile.unconfirmed)}; see that each "
                "is right for every sensor, and set its confirmed to true"
            )
        self._wire = Wire(url, trust, timeout)
        self._account = account
        self._profile = profile
        self._tokens: dict[str, str] = {}
        self._secrets = [account.password]
        self._signed_in = False
        self._proven = False
        self._version: str | None = None
        self._last: tuple[ProfileRequest, HttpAnswer] | None = None
        sign_in = profile.sign_in
        usual = {self._path(request) for request in (profile.read.request, *profile.save.requests)}
        self._doors = {self._path(request) for request in (sign_in.request, *sign_in.prepare)} - usual

    def sign_in(self) -> None:
        """Sign in, once; a new session if there was one."""
        self._signed_in = self._proven = False
        self._wire.cookies.clear()
        self._tokens.clear()
        steps = self._profile.sign_in
        for request in steps.prepare:
            self._alive(self._send(request, self._resolver()))
        self._judge_sign_in(self._send(steps.request, self._resolver(), again=False))
        self._signed_in = True
        for request in steps.after:
            self._inside(request, self._resolver(), page=True)

    def read(self) -> Reading:
        """Read the proxy settings as they are stored now."""
        answer, tree = self._current()
        return Reading(self._settings(answer, tree), self._version_in(answer))

    def save(self, push: Push) -> None:
        """Enter and save; return when the console has taken it."""
        if push.password:
            self._secrets.append(push.password)
        self._check_carried(push)
        # What is sent beside the proxy settings is this sensor's own, as it is now.
        answer, tree = self._current()
        self._settings(answer, tree)
        resolve = self._resolver(push, tree)
        for request in self._profile.save.requests:
            if request.only_with == "certificate" and push.certificate is None:
                continue
            answer = self._inside(request, resolve, push.certificate)
            words = self._words(answer)
            if answer.status >= 400:
                raise RejectedError(f"the console refused the values (HTTP {answer.status}): {words or NOT_QUOTED}")
            if _says_no(answer.json):
                raise RejectedError(f"the console refused the values: {words or NOT_QUOTED}")
            if request.only_with and request is not self._profile.save.requests[-1]:
                # What is sent next must not put back what this one has changed.
                resolve = self._resolver(push, self._current()[1])

    def cloud(self) -> Cloud | None:
        """Look once at the sensor's word on its cloud connection; None where the console has no such screen."""
        pane = self._profile.cloud
        if pane is None:
            return None
        answer = self._inside(pane.request, self._resolver())
        if answer.status == 404:
            return None
        self._fine(pane.request, answer)
        if answer.json is MISSING:
            text = (answer.page.text if answer.is_html else answer.text).lower()
        else:
            text = "\n".join(text_of(value) for _speaking, value in said(answer.json)).lower()
        issues = tuple(dict.fromkeys(issue for mark, issue in pane.issues.items() if mark.lower() in text))
        return Cloud(not issues and pane.connected.lower() in text, issues)

    def evidence(self, path: str) -> str | None:
        """Save the latest answer's status and known words; see Console."""
        if self._last is None:
            return None
        request, answer = self._last
        return keep(f"{path}.txt", f"HTTP {answer.status} {request.path}\n\n{self._words(answer)}\n".encode())

    def close(self) -> None:
        """Let go of everything. Never raises."""
        self._wire.close()

    def _resolver(self, push: Push | None = None, tree: Tree = MISSING) -> Resolve:
        known: dict[str, Callable[[], Tree]] = {
            "console_username": lambda: self._account.username,
            "console_password": lambda: self._account.password,
        }
        if push is not None:
            known |= self._pushed(push, tree)

        def resolve(placeholder: Placeholder) -> Tree:
            name, argument = placeholder.name, placeholder.argument
            if name in known:
                return known[name]()
            if name == "constant":
                return self._profile.constants[argument or ""].value
            if name == "current":
                value = find(tree, argument or "")
                if value is MISSING:
                    raise UnexpectedError(
                        f"this sensor's answer has nothing at {argument}, which the save must carry; see that the profile is of "
                        "the same version as the sensor"
                    )
                return value
            if name in self._tokens:
                return self._tokens[name]
            raise UnexpectedError(
                f"no answer carried the token {name} that the next request needs; see that the profile is of the same version "
                "as the sensor"
            )

        return resolve

    def _pushed(self, push: Push, tree: Tree) -> dict[str, Callable[[], Tree]]:
        fields = self._profile.read.fields

        def now(name: str) -> Tree:
            return find(tree, fields[name]) if name in fields else MISSING

        def password() -> Tree:
            if push.password is not None:
                return push.password
            way = self._profile.save.password_unchanged
            if way != "current":
                return "" if way == "empty" else MISSING
            stored = now("password")
            # A console that is sent its own mask might store it.
            return MISSING if isinstance(stored, str) and MASK.fullmatch(stored) else stored

        return {
            "enabled": lambda: push.enabled,
            "host": lambda: now("host") if push.host is None else push.host,
            "port": lambda: now("port") if push.port is None else str(push.port),
            "username": lambda: now("username") if push.username is None else push.username,
            "password": password,
            "certificate": lambda: MISSING if push.certificate is None else push.certificate.content,
            "certificate_name": lambda: now("certificate") if push.certificate is None else push.certificate.filename,
        }

    def _check_carried(self, push: Push) -> None:
        carried = self._profile.carried
        wanted = {"username": push.username or None, "password": push.password or None, "certificate": push.certificate}
        for name, value in wanted.items():
            if value is not None and name not in carried:
                raise UnexpectedError(
                    f"the profile does not know how to set the {name}; record again with one typed in"
                )

    def _send(
        self,
        request: ProfileRequest,
        resolve: Resolve,
        certificate: ClientCertificate | None = None,
        again: bool = True,
    ) -> HttpAnswer:
        try:
            path = render_path(request.path, resolve)
            headers = {name: text_of(render(value, resolve)) for name, value in request.headers.items()}
            content_type, body = self._body(request, resolve, certificate)
        except TemplateError as error:
            raise UnexpectedError(f"the profile does not fit: {error}") from None
        for name, value in headers.items():
            if not value.isprintable():
                raise UnexpectedError(
                    f"the value for the header {name} cannot be sent; see that the profile fits the sensor"
                )
        if content_type and not any(name.lower() == "content-type" for name in headers):
            headers["Content-Type"] = content_type
        for answer in self._wire.send(request.method, path, headers, body, again):
            self._last = request, answer
            self._take_tokens(answer)
        return answer

    def _body(
        self, request: ProfileRequest, resolve: Resolve, certificate: ClientCertificate | None
    ) -> tuple[str | None, bytes | None]:
        if request.format == "none":
            return None, None
        if request.format == "json":
            return "application/json", json.dumps(render(request.body, resolve)).encode()
        files = {name: part for name, part in request.body.items() if isinstance(part, dict)}
        fields = render({name: value for name, value in request.body.items() if name not in files}, resolve)
        pairs = [
            (name, text_of(item))
            for name, value in fields.items()
            for item in (value if isinstance(value, list) else [value])
        ]
        if request.format == "form":
            return "application/x-www-form-urlencoded", urlencode(pairs, errors="replace").encode()
        uploads: list[tuple[str, str, str, bytes]] = []
        for name, part in files.items():
            if certificate is not None:
                kind = part.get("content_type", "application/octet-stream")
                uploads.append((name, certificate.filename, kind, certificate.content))
            elif self._profile.save.certificate_unchanged == "empty":
                uploads.append((name, "", "application/octet-stream", b""))
        return _multipart(pairs, uploads)

    def _take_tokens(self, answer: HttpAnswer) -> None:
        for name, sources in self._profile.tokens.items():
            for source in sources:
                if source.path is not None and source.path != answer.path:
                    continue
                value = self._token(answer, source.kind, source.at)
                if isinstance(value, str) and value:
                    self._tokens[name] = value

    def _token(self, answer: HttpAnswer, kind: str, at: str) -> Tree:
        if kind == "cookie":
            set_now = self._wire.cookies if answer.header("set-cookie") else ()
            return next(((each.value or "").strip('"') for each in set_now if each.name == at), None)
        if kind == "header":
            return answer.header(at.lower())
        if kind == "json":
            return find(answer.json, at) if answer.json is not MISSING else None
        if not answer.is_html or at not in answer.text:
            return None
        return answer.page.meta.get(at) if kind == "meta" else answer.page.fields.get(at)

    def _inside(
        self,
        request: ProfileRequest,
        resolve: Resolve,
        certificate: ClientCertificate | None = None,
        page: bool = False,
    ) -> HttpAnswer:
        """Send a request that needs a session, and see that there still is one; `page` expects a whole page."""
        if not self._signed_in:
            raise ExpiredError("there is no session; sign in first")
        answer = self._send(request, resolve, certificate)
        self._alive(answer)
        outside = answer.status in (401, 403) or (answer.first_status != answer.status and answer.path in self._doors)
        if not outside and not page and self._profile.read.format == "json" and answer.is_html:
            outside = self._is_sign_in_page(answer)
        if outside:
            self._signed_in = False
            if self._proven:
                raise ExpiredError("the session is over; sign in again")
            # Signing in again could only fail again, and a few failures lock this client out.
            raise SignInError(
                "the console seemed to take the sign-in, and then knew no session; see that name and password are right"
            )
        return answer

    def _is_sign_in_page(self, answer: HttpAnswer) -> bool:
        request = self._profile.sign_in.request
        names = (
            {name for name, value in request.body.items() if value == "${console_password}"}
            if request.format in ("form", "multipart")
            else set()
        )
        return bool(answer.page.passwords) and (not names or bool(names & set(answer.page.passwords)))

    def _judge_sign_in(self, answer: HttpAnswer) -> None:
        self._alive(answer)
        expected = self._profile.sign_in.status
        failed = (
            answer.status >= 400
            or (expected is not None and answer.first_status != expected)
            or _says_no(answer.json)
            or (answer.is_html and self._refused_by_page(answer))
        )
        if not failed:
            return
        words = self._said(answer)
        if answer.status in (423, 429) or LOCKED.search(words):
            raise locked(judged(words, self._secrets))
        if answer.status in (404, 405):
            raise UnexpectedError(
                f"there is no sign-in where the profile has it (HTTP {answer.status}); see that the profile is of the same version "
                "as the sensor"
            )
        if answer.status == 403 and "csrf" in words.lower():
            raise UnexpectedError("the console did not accept the profile's token at sign-in; record the profile again")
        raise refused(self._account.username)

    def _refused_by_page(self, answer: HttpAnswer) -> bool:
        back = answer.path == self._path(self._profile.sign_in.request)
        return back and self._is_sign_in_page(answer)

    def _alive(self, answer: HttpAnswer) -> None:
        if answer.status >= 500:
            raise UnreachableError(
                f"the console answers with an error of its own (HTTP {answer.status}); try again later"
            )
        if answer.status == 429 and self._signed_in:
            raise UnreachableError("the console answers that there are too many requests (HTTP 429); try again later")

    def _fine(self, request: ProfileRequest, answer: HttpAnswer) -> None:
        if answer.status >= 400:
            # By the profile's path: where a redirect has led may be the console's own invention.
            raise UnexpectedError(
                f"{request.path} answers HTTP {answer.status}; see that the profile is of the same version as the sensor"
            )

    def _current(self) -> tuple[HttpAnswer, Tree]:
        request = self._profile.read.request
        answer = self._inside(request, self._resolver())
        self._fine(request, answer)
        if self._profile.read.format == "html":
            tree: Tree = answer.page.fields
        else:
            tree = answer.json
        if tree is MISSING or not tree:
            raise UnexpectedError(
                f"{request.path} holds no settings as {self._profile.read.format}; see that the profile is of the same version as "
                "the sensor"
            )
        return answer, tree

    def _settings(self, answer: HttpAnswer, tree: Tree) -> ProxySettings:
        fields = self._profile.read.fields
        enabled = truth(find(tree, fields["enabled"]))
        if enabled is None:
            raise self._lacking("enabled")
        found: dict[str, Tree] = {name: find(tree, place) for name, place in fields.items()}
        for name in ("host", "port"):
            # A console may leave these out while the proxy is off.
            if enabled and isinstance(found[name], (Nothing, dict, list)):
                raise self._lacking(name)
        self._proven = True
        username = found.get("username", "")
        return ProxySettings(
            enabled=enabled,
            host=text_of(found["host"]).strip(),
            port=self._port(found["port"]),
            username="" if isinstance(username, (dict, list)) else text_of(username),
            password_set=self._password_set(answer, found.get("password_set", MISSING)),
            certificate=None if "certificate" not in fields else _shown(found["certificate"]),
        )

    def _lacking(self, name: str) -> UnexpectedError:
        return UnexpectedError(
            f"the answer has no {name} at {self._profile.read.fields[name]}; see that the profile is of the same version as the "
            "sensor"
        )

    def _port(self, value: Tree) -> int | None:
        text = text_of(value).strip()
        if not text:
            return None
        if not re.fullmatch(r"[0-9]{1,5}", text):
            raise self._lacking("port")
        return int(text) or None

    def _password_set(self, answer: HttpAnswer, value: Tree) -> bool | None:
        if isinstance(value, bool):
            return value
        if self._profile.read.format == "html":
            shown = answer.page.passwords.get(self._profile.read.fields.get("password_set", ""), "")
            return True if MASK.fullmatch(shown) else None
        return True if isinstance(value, str) and value else None

    def _version_in(self, answer: HttpAnswer) -> str | None:
        where = self._profile.version
        if where is None:
            return None
        if where.request is not None:
            if self._version is not None:
                return self._version
            answer = self._inside(where.request, self._resolver())
            if answer.status >= 400:
                return None
        if where.at is None:
            match = VERSION.search(answer.page.text if answer.is_html else answer.text)
            self._version = match[1] if match else None
        else:
            tree = answer.page.fields if answer.is_html else answer.json
            value = find(tree, where.at) if tree is not MISSING else MISSING
            self._version = value if isinstance(value, str) and NUMBER.fullmatch(value) else None
        return self._version

    def _said(self, answer: HttpAnswer) -> str:
        """Return what the console says in an answer."""
        if answer.json is not MISSING:
            texts = [(speaking, value) for speaking, value in said(answer.json) if isinstance(value, str) and value]
            to_a_person = [value for speaking, value in texts if speaking]
            return " ".join(to_a_person or [value for _speaking, value in texts])
        if answer.is_html:
            return answer.page.alert or answer.page.text
        return answer.text

    def _words(self, answer: HttpAnswer) -> str:
        """Return of what the console says in an answer what can be quoted."""
        return judged(self._said(answer), self._secrets)

    @staticmethod
    def _path(request: ProfileRequest) -> str:
        return request.path.partition("?")[0]


def _multipart(pairs: Iterable[tuple[str, str]], uploads: Iterable[tuple[str, str, str, bytes]]) -> tuple[str, bytes]:
    boundary = f"----{secrets.token_hex(16)}"
    pieces: list[bytes] = []

    def quoted(name: str) -> str:
        return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")

    for name, value in pairs:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{quoted(name)}"\r\n\r\n'
        pieces += [head.encode(), value.encode("utf-8", "replace"), b"\r\n"]
    for name, filename, kind, content in uploads:
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="{quoted(name)}"; filename="{quoted(filename)}"\r\n'
            f"Content-Type: {kind}\r\n\r\n"
        )
        pieces += [head.encode(), content, b"\r\n"]
    return f"multipart/form-data; boundary={boundary}", b"".join([*pieces, f"--{boundary}--\r\n".encode()])


def _says_no(tree: Tree) -> bool:
    """Say whether a JSON answer means failure although its HTTP status does not."""
    if not isinstance(tree, dict):
        return False
    for key, value in tree.items():
        word = key.lower()
        if word in ("success", "ok", "succeeded", "authenticated") and value is False:
            return True
        if (
            word in ("error", "errors", "error_message", "errormessage")
            and value
            and not isinstance(value, (int, float))
        ):
            return True
        if (
            word in ("status", "result")
            and isinstance(value, str)
            and value.lower() in ("error", "failed", "failure", "fail")
        ):
            return True
    return False


def _shown(value: Tree) -> str | None:
    if value is None or isinstance(value, Nothing):
        return ""
    return value if isinstance(value, str) else None
