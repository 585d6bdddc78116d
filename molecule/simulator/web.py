"""What the four dialects of the stand-in console have in common: the sensor, the session, the token. All invented."""

from __future__ import annotations

import functools
import hmac
from collections.abc import Callable
from typing import Any, TypeVar, cast

from access import BadTokenError, LockedOutError, NotSignedInError, Session, WrongPasswordError
from flask import Response, request
from sensor import Sensor

WRONG = "The username or password is incorrect"
LOCKED = "Too many failed attempts. Your account/IP is locked"
SAVED = "Settings saved"

CHECK_SECONDS = 8.0
"""How long the connectivity screen's request waits for a running check."""

View = TypeVar("View", bound=Callable[..., Any])


def sensor() -> Sensor:
    """Return the sensor whose port the request came to."""
    return cast(Sensor, request.environ["simulator.sensor"])


def cookie_name() -> str:
    """Return the session cookie's name; every generation has its own."""
    return f"sim{sensor().generation}-session"


def session() -> Session | None:
    """Return the live session that the request belongs to, signed in or not."""
    return sensor().access.find(request.cookies.get(cookie_name()))


def signed_in(view: View) -> View:
    """Refuse requests without a signed-in session.

    Raises (in the view):
        NotSignedInError: there is none.
    """

    @functools.wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        found = session()
        if found is None or found.username is None:
            sensor().count("unauthorised")
            raise NotSignedInError
        return view(*args, **kwargs)

    return cast(View, guarded)


def saving(view: View) -> View:
    """Mark a view that saves, so that the fault expire_once comes before it, and ask for a session."""
    inner = signed_in(view)

    @functools.wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        sensor().expire_if_ordered()
        return inner(*args, **kwargs)

    return cast(View, guarded)


def check_token(given: object, expected: str | None) -> None:
    """Compare the token against cross-site requests.

    Raises:
        BadTokenError: it is missing or another one.
    """
    if not isinstance(given, str) or not expected or not hmac.compare_digest(given.encode(), expected.encode()):
        sensor().count("bad_token")
        raise BadTokenError


def sign_in(username: object, password: object) -> Session:
    """Open a session.

    Raises:
        WrongPasswordError: the account is another one.
        LockedOutError: this client may not sign in.
    """
    here = sensor()
    try:
        if here.faults.locked:
            raise LockedOutError
        found = here.access.sign_in(request.remote_addr or "", str(username or ""), str(password or ""))
    except WrongPasswordError:
        here.count("failures")
        raise
    except LockedOutError:
        here.count("locked_out")
        raise
    here.count("sign_ins")
    return found


def keep(answer: Response, found: Session) -> Response:
    """Give the client its session cookie."""
    answer.set_cookie(cookie_name(), found.key, secure=True, httponly=True, samesite="Lax")
    return answer


def visitor(answer: Callable[[Session], Response]) -> Response:
    """Answer with a session, opening an anonymous one where there is none."""
    found = session()
    if found is not None:
        return answer(found)
    found = sensor().access.visit()
    return keep(answer(found), found)
