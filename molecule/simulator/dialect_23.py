"""STAND-IN console of generation 23. Routes, field names and headers are invented and are not the vendor's.

Nested JSON. The token is in a <meta> tag of the page and goes back in a header. A save patches the object as it was
read; a password of null keeps the stored one. The client certificate is uploaded by itself, and stored at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from access import BadTokenError, LockedOutError, NotSignedInError, WrongPasswordError
from agent import CONNECTED
from flask import Blueprint, Response, jsonify, make_response, request
from generations import SCREENS
from sensor import InvalidError, port_of
from web import (
    CHECK_SECONDS,
    LOCKED,
    SAVED,
    WRONG,
    check_token,
    keep,
    saving,
    sensor,
    session,
    sign_in,
    signed_in,
)

dialect = Blueprint("dialect_23", __name__, url_prefix="/sim23")

TOKEN_META = "sim23-proof"
TOKEN_HEADER = "X-Sim23-Proof"

_OWN = {"address": "ip", "mask": "netmask", "gateway": "gateway", "resolver": "dns", "name": "hostname"}

_DETAILS = "See the sensor's network settings and the rules of the firewalls on the way."


def _answer(data: dict[str, Any], status: int = 200) -> Response:
    return make_response(jsonify(data), status)


def _error(text: str, status: int) -> Response:
    return _answer({"error": {"message": text}}, status)


def _check() -> None:
    found = session()
    check_token(request.headers.get(TOKEN_HEADER), found.token if found else None)


def _object(data: object, *path: str) -> Mapping[str, Any]:
    for name in path:
        data = data.get(name, {}) if isinstance(data, dict) else None
    if not isinstance(data, dict):
        raise InvalidError("The request is not valid")
    return data


@dialect.errorhandler(NotSignedInError)
def _no_session(_cause: Exception) -> Response:
    return _error("No session", 401)


@dialect.errorhandler(BadTokenError)
def _bad_token(_cause: Exception) -> Response:
    return _error("The proof is missing or wrong", 403)


@dialect.errorhandler(WrongPasswordError)
def _wrong(_cause: Exception) -> Response:
    return _error(WRONG, 401)


@dialect.errorhandler(LockedOutError)
def _locked(_cause: Exception) -> Response:
    return _error(LOCKED, 429)


@dialect.errorhandler(InvalidError)
def _invalid(error: Exception) -> Response:
    return _error(str(error), 422)


@dialect.get("/whoami")
@signed_in
def who() -> Response:
    """Say who is signed in."""
    found = session()
    return _answer({"account": found.username if found else None, "product": {"version": SCREENS["23"]["version"]}})


@dialect.post("/sign-in")
def enter() -> Response:
    """Sign in; the page has to be loaded again for the new session's token."""
    _check()
    given = _object(request.get_json(silent=True), "account")
    return keep(_answer({"next": "/"}), sign_in(given.get("name"), given.get("secret")))


@dialect.get("/settings")
@signed_in
def show() -> Response:
    """Return the nested object."""
    own, proxy = sensor().settings()
    return _answer(
        {
            "network": {field: getattr(own, name) for field, name in _OWN.items()},
            "proxy": {
                "enabled": proxy.enabled,
                "host": proxy.host,
                "port": proxy.port,
                "credentials": {"user": proxy.username, "password": None, "stored": bool(proxy.password)},
                "certificate": {"name": proxy.certificate.name if proxy.certificate else None},
            },
        }
    )


@dialect.patch("/settings")
@saving
def save() -> Response:
    """Store what the object names."""
    _check()
    data = request.get_json(silent=True)
    network, given = _object(data, "network"), _object(data, "proxy")
    credentials = _object(data, "proxy", "credentials")
    proxy: dict[str, Any] = {}
    if isinstance(given.get("enabled"), bool):
        proxy["enabled"] = given["enabled"]
    if isinstance(given.get("host"), str):
        proxy["host"] = given["host"].strip()
    if "port" in given:
        if isinstance(given["port"], str):
            raise InvalidError("Invalid value for Proxy Port")
        proxy["port"] = port_of(given["port"])
    if isinstance(credentials.get("user"), str):
        proxy["username"] = credentials["user"]
    if isinstance(credentials.get("password"), str):
        proxy["password"] = credentials["password"]
    if not all(isinstance(value, str) for value in network.values()):
        raise InvalidError("The request is not valid")
    sensor().save({_OWN[field]: value for field, value in network.items() if field in _OWN}, proxy)
    return _answer({"result": SAVED})


@dialect.post("/settings/certificate")
@saving
def upload() -> Response:
    """Store the client certificate."""
    _check()
    file = request.files.get("upload")
    if file is None or not file.filename:
        raise InvalidError("Invalid value for Client certificate")
    sensor().upload(file.filename, file.read())
    return _answer({"certificate": {"name": file.filename}})


@dialect.get("/connectivity")
@signed_in
def connectivity() -> Response:
    """Say how the sensor finds its way to the cloud; "checking" while that is not known yet."""
    forced = sensor().faults.cloud
    verdict = None if forced is not None else sensor().agent.look(CHECK_SECONDS)
    if forced is None and verdict is None:
        return _answer({"state": "checking"})
    found = forced if forced is not None else list(verdict.issues) if verdict else []
    if not found:
        return _answer({"state": "done", "summary": CONNECTED, "issues": []})
    return _answer({"state": "done", "summary": None, "issues": [{"title": name, "hint": _DETAILS} for name in found]})
