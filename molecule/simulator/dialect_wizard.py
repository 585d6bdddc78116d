"""STAND-IN console in its first-run wizard. Routes, field names and headers are invented and are not the vendor's.

A multipart form carries everything, the client certificate too. The token comes with the sign-in's JSON and in a header
of every later answer, goes back as a field of the form, and is another one after each save. The password is a field only
when it was typed.
"""

from __future__ import annotations

import secrets
from typing import Any

from access import BadTokenError, LockedOutError, NotSignedInError, WrongPasswordError
from flask import Blueprint, Response, jsonify, make_response, request
from sensor import InvalidError, checked_certificate, port_of
from web import LOCKED, SAVED, WRONG, check_token, keep, saving, sensor, session, sign_in, signed_in

dialect = Blueprint("dialect_wizard", __name__, url_prefix="/simwizard")

TOKEN_HEADER = "X-Simwizard-Ticket"

_OWN = {
    "mgmt_ip": "ip",
    "mgmt_mask": "netmask",
    "mgmt_gateway": "gateway",
    "mgmt_dns": "dns",
    "mgmt_hostname": "hostname",
}


def _answer(data: dict[str, Any], status: int = 200) -> Response:
    return make_response(jsonify(data), status)


@dialect.after_request
def _hand_out_token(answer: Response) -> Response:
    found = session()
    if found is not None and found.username is not None:
        answer.headers[TOKEN_HEADER] = found.token
    return answer


@dialect.errorhandler(NotSignedInError)
def _no_session(_error: Exception) -> Response:
    return _answer({"ok": False, "message": "Sign in first"}, 401)


@dialect.errorhandler(BadTokenError)
def _bad_token(_error: Exception) -> Response:
    return _answer({"ok": False, "message": "The ticket is missing or was used"}, 403)


@dialect.errorhandler(WrongPasswordError)
def _wrong(_error: Exception) -> Response:
    return _answer({"ok": False, "message": WRONG}, 403)


@dialect.errorhandler(LockedOutError)
def _locked(_error: Exception) -> Response:
    return _answer({"ok": False, "message": LOCKED}, 423)


@dialect.errorhandler(InvalidError)
def _invalid(error: Exception) -> Response:
    return _answer({"ok": False, "message": str(error)}, 400)


@dialect.post("/enter")
def enter() -> Response:
    """Sign in; the answer carries the first token."""
    data = request.get_json(silent=True)
    if not isinstance(data, dict):
        raise InvalidError("The request is not valid")
    found = sign_in(data.get("login"), data.get("passphrase"))
    return keep(_answer({"ok": True, "ticket": found.token}), found)


@dialect.get("/management-interface")
@signed_in
def show() -> Response:
    """Return the tab's values."""
    own, proxy = sensor().settings()
    return _answer(
        {
            "ok": True,
            "values": {field: getattr(own, name) for field, name in _OWN.items()}
            | {
                "cloud_proxy": "yes" if proxy.enabled else "no",
                "cloud_proxy_host": proxy.host,
                "cloud_proxy_port": "" if proxy.port is None else str(proxy.port),
                "cloud_proxy_user": proxy.username,
                "cloud_proxy_password": "********" if proxy.password else "",
                "cloud_proxy_certificate": proxy.certificate.name if proxy.certificate else "",
            },
        }
    )


@dialect.post("/management-interface")
@saving
def save() -> Response:
    """Store the form."""
    found, form = session(), request.form
    check_token(form.get("ticket"), found.token if found else None)
    for name in (*_OWN, "cloud_proxy", "cloud_proxy_host", "cloud_proxy_port", "cloud_proxy_user"):
        if name not in form:
            raise InvalidError(f"The request lacks {name}")
    if form["cloud_proxy"] not in ("yes", "no"):
        raise InvalidError("The request is not valid")
    proxy: dict[str, Any] = {
        "enabled": form["cloud_proxy"] == "yes",
        "host": form["cloud_proxy_host"].strip(),
        "port": port_of(form["cloud_proxy_port"].strip()),
        "username": form["cloud_proxy_user"],
    }
    if "cloud_proxy_password" in form:
        proxy["password"] = form["cloud_proxy_password"]
    file = request.files.get("cloud_proxy_certificate")
    if file is not None and file.filename:
        proxy["certificate"] = checked_certificate(file.filename, file.read())
    sensor().save({name: form[field].strip() for field, name in _OWN.items()}, proxy)
    if found is not None:
        found.token = secrets.token_urlsafe(24)
    return _answer({"ok": True, "message": SAVED})
