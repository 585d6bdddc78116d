"""STAND-IN for a sensor's web console, not the vendor's: who may use it.

Sessions that end when idle, tokens against cross-site requests, and the lock-out of a client that fails to sign in.
Its rules are invented; only that a lock-out and a session's end exist is documented of the real console.
"""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from dataclasses import dataclass, field


class NotSignedInError(Exception):
    """The request has no live session."""


class BadTokenError(Exception):
    """The request lacks the token that shows where it comes from."""


class WrongPasswordError(Exception):
    """The account's name or password is wrong."""


class LockedOutError(Exception):
    """The client may not sign in for now, whatever it says."""


@dataclass(frozen=True)
class Rules:
    """The account, and how strict the console is."""

    username: str
    password: str
    lock_after: int = 5
    """Failed sign-ins of one client."""
    lock_seconds: float = 300.0
    idle_seconds: float = 1800.0


@dataclass
class Session:
    """One client's session; anonymous until it signs in."""

    username: str | None
    key: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    """Must come back with every request that changes something."""
    seen: float = field(default_factory=time.monotonic)
    """When it was last used (time.monotonic)."""


@dataclass
class _Failures:
    count: int = 0
    until: float = 0.0
    """End of the lock-out (time.monotonic); 0 for none."""


class Access:
    """The sessions and failed sign-ins of one sensor."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = {}
        self._failures: dict[str, _Failures] = {}

    def visit(self) -> Session:
        """Open a session for somebody who has not signed in yet."""
        return self._open(None)

    def find(self, key: str | None) -> Session | None:
        """Return the live session with this key, and count it as used."""
        now = time.monotonic()
        with self._lock:
            session = self._sessions.get(key or "")
            if session is None or now - session.seen > self.rules.idle_seconds:
                return None
            session.seen = now
            return session

    def sign_in(self, client: str, username: str, password: str) -> Session:
        """Open a session for the account.

        Args:
            client: the client's address, which failures are counted by.
            username: what was typed.
            password: what was typed.

        Raises:
            WrongPasswordError: the account is another one.
            LockedOutError: too many failures of this client.
        """
        now = time.monotonic()
        with self._lock:
            failures = self._failures.setdefault(client, _Failures())
            if failures.until > now:
                raise LockedOutError
            if failures.until:
                failures.count, failures.until = 0, 0.0
            right = hmac.compare_digest(username.encode(), self.rules.username.encode())
            if not (right & hmac.compare_digest(password.encode(), self.rules.password.encode())):
                failures.count += 1
                if failures.count >= self.rules.lock_after:
                    failures.until = now + self.rules.lock_seconds
                raise WrongPasswordError
            del self._failures[client]
        return self._open(username)

    def end(self) -> None:
        """End every session."""
        with self._lock:
            self._sessions.clear()

    def reset(self) -> None:
        """End every session and forget every failure."""
        with self._lock:
            self._sessions.clear()
            self._failures.clear()

    def locked(self) -> list[str]:
        """Return the addresses that are locked out."""
        now = time.monotonic()
        with self._lock:
            return sorted(client for client, failures in self._failures.items() if failures.until > now)

    def _open(self, username: str | None) -> Session:
        session = Session(username)
        with self._lock:
            for key in [k for k, old in self._sessions.items() if session.seen - old.seen > self.rules.idle_seconds]:
                del self._sessions[key]
            self._sessions[session.key] = session
        return session
