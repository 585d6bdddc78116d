"""Who guesses passwords, and who only has an old one."""

from __future__ import annotations

import base64
import subprocess
import sys

import pytest

from tests.unit.roles.programs import FILES, load

PROGRAM = FILES / "ot_proxy_guesses.py"


program = load("ot_proxy_guesses")


def header(login: str) -> bytes:
    return b"Basic " + base64.b64encode(login.encode())


class World:
    """A clock and a log."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.now = 1000.0
        self.guesses = program.Guesses(self.said.append, lambda: self.now)

    def tried(self, login: str, address: str = "10.0.0.1") -> bool:
        """Whether a login gets as far as being checked."""
        return not self.guesses.one_too_many(address, header(login))

    def guessed(self, number: int, address: str = "10.0.0.1") -> int:
        return sum(self.tried(f"sensor1:wrong{each}", address) for each in range(number))


@pytest.fixture
def world() -> World:
    return World()


def test_guesses_end_and_are_said_once(world: World) -> None:
    assert world.guessed(1000) == program.LOGINS
    assert world.said == ["10.0.0.1: 20 different logins within 60 s, the last one as 'sensor1'; more are refused"]
    assert not world.tried("sensor1:right"), "or a guess could hit"
    world.now += program.WINDOW + 1
    assert world.tried("sensor1:right")


def test_one_who_guesses_keeps_nobody_else_out(world: World) -> None:
    assert world.tried("sensor1:right")
    world.guessed(1000)
    assert world.tried("sensor1:right"), "it was there before"
    assert world.tried("sensor2:right", "10.0.0.2"), "another address"


def test_an_old_password_is_one_login_however_often(world: World) -> None:
    assert all(world.tried("sensor1:old") for _number in range(1000))
    assert world.tried("sensor1:new")


def test_slow_guesses_are_no_more_than_the_window_lets_through(world: World) -> None:
    tried = 0
    for number in range(600):
        world.now += 1
        tried += world.tried(f"sensor1:wrong{number}")
    assert tried <= 600 / program.WINDOW * program.LOGINS + program.LOGINS


def test_memory_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "MOST_ADDRESSES", 5)
    monkeypatch.setattr(program, "MOST_LOGINS", 7)
    for number in range(20):
        world.guessed(15, f"10.0.1.{number}")
    assert len(world.guesses._known) == 5
    assert {len(each.logins) for each in world.guesses._known.values()} == {7}


@pytest.mark.parametrize("strange", [b"", b"Basic", b"Basic !!!", b"Negotiate abc", b"Basic \xff\xfe", b"Basic AAAA"])
def test_a_strange_login_is_a_login(world: World, strange: bytes) -> None:
    for number in range(program.LOGINS):
        assert not world.guesses.one_too_many("10.0.0.1", strange + b"%d" % number)
    assert world.guesses.one_too_many("10.0.0.1", strange + b"!")
    assert world.said[0].isprintable()


def test_what_squid_says_and_gets() -> None:
    wrong = [f"{number} 10.0.0.1 Basic%20{base64.b64encode(b'a:%d' % number).decode()}" for number in range(21)]
    asked = "\n".join(["7 10.0.0.1 -", *wrong, "30 10.0.0.2 -", "31", ""])
    done = subprocess.run(
        [sys.executable, PROGRAM], input=asked, capture_output=True, text=True, timeout=20, check=True
    )
    assert done.stdout.splitlines() == [
        "7 ERR",
        *(f"{number} ERR" for number in range(20)),
        "20 OK",
        "30 ERR",
        "31 ERR",
    ]
    assert done.stderr.startswith("ot_proxy_guesses: 10.0.0.1: 20 different logins")
