"""STAND-IN console of generation 10. Routes, field names and markup are invented and are not the vendor's.

HTML fragments and urlencoded forms. The token is in a hidden field of each form. A form that is saved carries all of
its fields; an unchecked box is missing. An empty password keeps the stored one, an empty user name forgets it.
"""

from __future__ import annotations

from access import BadTokenError, LockedOutError, NotSignedInError, Session, WrongPasswordError
from flask import Blueprint, Response, make_response, redirect, render_template, request
from generations import labels
from sensor import InvalidError, port_of
from web import LOCKED, SAVED, WRONG, check_token, keep, saving, sensor, session, sign_in, signed_in, visitor

dialect = Blueprint("dialect_10", __name__, url_prefix="/sim10")

_OWN = {"own_address": "ip", "own_mask": "netmask", "own_router": "gateway", "own_dns": "dns", "own_name": "hostname"}


def _message(role: str, text: str, status: int) -> Response:
    return make_response(render_template("10_message.html", role=role, text=text), status)


def _sign_in_form(found: Session, problem: str | None = None) -> Response:
    return make_response(render_template("10_sign_in.html", token=found.token, problem=problem))


@dialect.errorhandler(NotSignedInError)
def _no_session(_error: Exception) -> Response:
    return _message("alert", "Please sign in", 401)


@dialect.errorhandler(BadTokenError)
def _bad_token(_error: Exception) -> Response:
    return _message("alert", "This form is out of date", 403)


@dialect.errorhandler(InvalidError)
def _invalid(error: Exception) -> Response:
    return _message("alert", str(error), 400)


@dialect.get("/start")
def start() -> Response:
    """Return the menu, or the form to sign in with."""
    return visitor(
        lambda found: make_response(render_template("10_menu.html")) if found.username else _sign_in_form(found)
    )


@dialect.post("/sign-in")
def enter() -> Response:
    """Sign in, and send the browser to the start; a failure shows the form again, with status 200."""
    found = session()
    check_token(request.form.get("form_token"), found.token if found else None)
    assert found is not None
    try:
        return keep(make_response(redirect("/sim10/start")), sign_in(request.form.get("who"), request.form.get("pass")))
    except WrongPasswordError:
        return _sign_in_form(found, WRONG)
    except LockedOutError:
        return _sign_in_form(found, LOCKED)


@dialect.get("/network-form")
@signed_in
def show() -> Response:
    """Return the dialog's form with the stored values."""
    found = session()
    own, proxy = sensor().settings()
    return make_response(
        render_template(
            "10_network.html",
            token=found.token if found else "",
            own={field: getattr(own, name) for field, name in _OWN.items()},
            proxy=proxy,
            labels=labels("10", sensor().faults.no_labels),
        )
    )


@dialect.post("/network-form")
@saving
def save() -> Response:
    """Store the whole form."""
    found, form = session(), request.form
    check_token(form.get("form_token"), found.token if found else None)
    proxy: dict[str, object] = {"enabled": "px_on" in form}
    if "px_host" in form:
        proxy["host"] = form["px_host"].strip()
    if "px_port" in form:
        proxy["port"] = port_of(form["px_port"].strip())
    if "px_user" in form:
        proxy["username"] = form["px_user"]
        if not form["px_user"]:
            proxy["password"] = ""
        elif form.get("px_pass"):
            proxy["password"] = form["px_pass"]
    sensor().save({name: form[field].strip() for field, name in _OWN.items() if field in form}, proxy)
    return _message("status", SAVED, 200)
