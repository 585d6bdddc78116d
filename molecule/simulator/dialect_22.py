"""STAND-IN console of generation 22. Routes, field names and cookies are invented and are not the vendor's.

Flat JSON. The token is a cookie that scripts read and send back in a header, and it changes with the sign-in. A save
puts the whole object; the port is a text; the password is a member only when one was typed.
"""

from __future__ import annotations

import secrets
from typing import Any

from access import BadTokenError, LockedOutError, NotSignedInError, WrongPasswordError
from flask import Blueprint, Response, jsonify, make_response, request
from generations import SCREENS
from sensor import InvalidError, port_of
from web import LOCKED, SAVED, WRONG, check_token, keep, saving, sensor, session, sign_in, signed_in

dialect = Blueprint("dialect_22", __name__, url_prefix="/sim22")

TOKEN_COOKIE = "sim22-guard"
TOKEN_HEADER = "X-Sim22-Guard"

_OWN = {"ipAddress": "ip", "subnetMask": "netmask", "defaultGateway": "gateway", "dns": "dns", "hostname": "hostname"}


def _answer(data: dict[str, Any], status: int = 200) -> Response:
    return make_response(jsonify(data), status)


def _renew(answer: Response) -> Response:
    answer.set_cookie(TOKEN_COOKIE, secrets.token_urlsafe(32), secure=True, samesite="Lax")
    return answer


def _check() -> None:
    check_token(request.headers.get(TOKEN_HEADER), request.cookies.get(TOKEN_COOKIE))


def _body() -> dict[str, Any]:
    data = request.get_json(silent=True)
    if not isinstance(data, dict):
        raise InvalidError("The request is not valid")
    return data


@dialect.errorhandler(NotSignedInError)
def _no_session(_error: Exception) -> Response:
    return _answer({"detail": "Authentication credentials were not provided."}, 401)


@dialect.errorhandler(BadTokenError)
def _bad_token(_error: Exception) -> Response:
    return _answer({"detail": "The guard token is missing or incorrect."}, 403)


@dialect.errorhandler(WrongPasswordError)
def _wrong(_error: Exception) -> Response:
    return _answer({"detail": WRONG}, 400)


@dialect.errorhandler(LockedOutError)
def _locked(_error: Exception) -> Response:
    return _answer({"detail": LOCKED}, 403)


@dialect.errorhandler(InvalidError)
def _invalid(error: Exception) -> Response:
    return _answer({"errors": [str(error)]}, 400)


@dialect.get("/session")
def who() -> Response:
    """Say who is signed in, null for nobody; hand out the token."""
    found = session()
    name = found.username if found else None
    answer = _answer({"user": name, "version": SCREENS["22"]["version"] if name else None})
    return answer if TOKEN_COOKIE in request.cookies else _renew(answer)


@dialect.post("/session")
def enter() -> Response:
    """Sign in."""
    _check()
    data = _body()
    found = sign_in(data.get("username"), data.get("password"))
    return _renew(keep(_answer({"user": found.username, "version": SCREENS["22"]["version"]}), found))


@dialect.get("/network-settings")
@signed_in
def show() -> Response:
    """Return the flat object."""
    own, proxy = sensor().settings()
    return _answer(
        {field: getattr(own, name) for field, name in _OWN.items()}
        | {
            "proxyEnabled": proxy.enabled,
            "proxyHost": proxy.host,
            "proxyPort": "" if proxy.port is None else str(proxy.port),
            "proxyUsername": proxy.username,
            "proxyPasswordSet": bool(proxy.password),
        }
    )


@dialect.put("/network-settings")
@saving
def save() -> Response:
    """Store the flat object; every member of it must be there."""
    _check()
    data = _body()
    wanted = {"proxyEnabled": bool, "proxyHost": str, "proxyPort": str, "proxyUsername": str} | dict.fromkeys(_OWN, str)
    for name, kind in wanted.items():
        if not isinstance(data.get(name), kind):
            raise InvalidError(f"The request lacks {name}")
    proxy = {
        "enabled": data["proxyEnabled"],
        "host": data["proxyHost"].strip(),
        "port": port_of(data["proxyPort"].strip()),
        "username": data["proxyUsername"],
    }
    if isinstance(data.get("proxyPassword"), str):
        proxy["password"] = data["proxyPassword"]
    sensor().save({name: data[field].strip() for field, name in _OWN.items()}, proxy)
    return _answer({"message": SAVED})
