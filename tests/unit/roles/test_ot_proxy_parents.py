"""What Squid asks about its parents, on parents that misbehave; what makes it reload, on names that move."""

from __future__ import annotations

import asyncio
import itertools
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.roles.programs import FILES, load

PROGRAM = FILES / "ot_proxy_parents.py"
E = "hub.example:443"


program = load("ot_proxy_parents")


class FakeParent:
    """A parent on loopback that does to each connection what it is told."""

    def __init__(self, behaviour: str) -> None:
        self.behaviour = behaviour
        self.heads: list[str] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self._held: list[socket.socket] = []
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                stream, _client = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(stream,), daemon=True).start()

    def _answer(self, stream: socket.socket) -> None:
        self.heads.append(stream.recv(65536).decode())
        if self.behaviour == "close":
            stream.close()
        elif self.behaviour == "garbage":
            stream.sendall(b"\x15\x03\x01\x00\x02\x02\x46\n")
        elif self.behaviour == "endless":
            stream.sendall(b"x" * 200_000)
        elif self.behaviour == "200-close":
            stream.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            stream.close()
        elif self.behaviour != "mute":
            status, _later, seconds = self.behaviour.partition(" after ")
            time.sleep(float(seconds or 0))
            stream.sendall(f"HTTP/1.1 {status} x\r\n\r\n".encode())
        self._held.append(stream)

    def stop(self) -> None:
        # A thread in accept() would take one more connection.
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {"FRESH": 0.2, "LINGER": 0.2, "LATE": 1.5, "AGAIN": 0.3}.items():
        monkeypatch.setattr(program, name, seconds)


@pytest.fixture
def made() -> Iterator[Callable[..., list[Any]]]:
    """Makes parents with these behaviours; "refuses" is one that is not there."""
    fakes: list[FakeParent] = []

    def make(*behaviours: str) -> list[Any]:
        for behaviour in behaviours:
            fakes.append(FakeParent(behaviour))
            if behaviour == "refuses":
                fakes[-1].stop()
        return fakes

    yield make
    for fake in fakes:
        if fake.behaviour != "refuses":
            fake.stop()


def chooser(fakes: list[Any]) -> Any:
    return program.Chooser(
        [program.Parent(f"p{number}", "127.0.0.1", fake.port, timeout=0.3) for number, fake in enumerate(fakes, 1)]
    )


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(scenario(), 10)

    asyncio.run(bounded())


@pytest.mark.parametrize(
    ("first", "passed_over"),
    [
        ("200", []),
        ("403", ["p2", "p3"]),
        ("407", ["p2", "p3"]),
        *(
            (bad, ["p1"])
            for bad in ("500", "502", "503", "504", "100", "close", "garbage", "endless", "mute", "refuses")
        ),
    ],
)
def test_what_a_first_parent_does(first: str, passed_over: list[str], made: Callable[..., list[Any]]) -> None:
    chosen = chooser(made(first, "200", "200"))

    async def scenario() -> None:
        assert await chosen.passed_over(E) == passed_over

    run(scenario)


@pytest.mark.parametrize(
    ("behaviours", "at_first", "in_the_end"),
    [
        (("503", "503"), [], []),
        (("503", "refuses"), [], []),
        (("mute", "503"), ["p1"], ["p1"]),
        (("503", "mute"), ["p2"], ["p2"]),
        # Squid would hold every CONNECT for hours.
        (("mute", "mute"), [], ["p1", "p2"]),
        # Slow is not dead: with nobody quicker Squid may wait for it.
        (("200 after 1", "200 after 1"), [], []),
    ],
)
def test_with_no_good_parent_squid_tries_those_that_do_not_hang(
    behaviours: tuple[str, str], at_first: list[str], in_the_end: list[str], made: Callable[..., list[Any]]
) -> None:
    chosen = chooser(made(*behaviours))

    async def scenario() -> None:
        assert await chosen.passed_over(E) == at_first
        await asyncio.sleep(2)
        assert await chosen.passed_over(E) == in_the_end

    run(scenario)


def test_what_was_true_at_the_last_question_refuses_nobody(made: Callable[..., list[Any]]) -> None:
    fakes = made("mute", "mute")
    chosen = chooser(fakes)

    async def scenario() -> None:
        await chosen.passed_over(E)
        await asyncio.sleep(2)
        assert await chosen.passed_over(E) == ["p1", "p2"]
        # Nobody asks for longer than these looks take, and one of them is back.
        await asyncio.sleep(2)
        fakes[1].behaviour = "200"
        assert await chosen.passed_over(E) == ["p1"]

    run(scenario)


def test_a_parent_that_is_mute_for_good_gets_nothing_while_it_is_looked_at_again(
    made: Callable[..., list[Any]],
) -> None:
    fakes = made("mute", "mute")
    chosen = chooser(fakes)

    async def scenario() -> None:
        await chosen.passed_over(E)
        await asyncio.sleep(2)
        said = []
        while len(fakes[0].heads) < 4:
            said.append(await chosen.passed_over(E))
            await asyncio.sleep(0.1)
        assert said == [["p1", "p2"]] * len(said)

    run(scenario)


def test_a_tunnel_that_is_closed_at_once_was_none(made: Callable[..., list[Any]]) -> None:
    fakes = made("200-close", "200")
    chosen = chooser(fakes)

    async def scenario() -> None:
        assert await chosen.passed_over(E) == []
        await asyncio.sleep(0.1)
        for _number in range(8):
            assert await chosen.passed_over(E) == ["p1"]
            await asyncio.sleep(0.1)
        fakes[0].behaviour = "200"
        await asyncio.sleep(0.4)
        assert await chosen.passed_over(E) == ["p1"]
        await asyncio.sleep(0.4)
        assert await chosen.passed_over(E) == []

    run(scenario)


def test_questions_share_one_look_while_it_is_fresh(made: Callable[..., list[Any]]) -> None:
    fakes = made("200", "200")
    chosen = chooser(fakes)

    async def scenario() -> None:
        assert await asyncio.gather(*(chosen.passed_over(E) for _number in range(50))) == [[]] * 50
        assert [len(fake.heads) for fake in fakes] == [1, 0]
        await asyncio.sleep(0.5)
        await chosen.passed_over(E)
        assert len(fakes[0].heads) == 2

    run(scenario)


def test_nobody_waits_for_a_parent_that_was_bad_and_it_is_used_again_when_it_is_back(
    made: Callable[..., list[Any]],
) -> None:
    fakes = made("mute", "200")
    chosen = chooser(fakes)

    async def scenario() -> None:
        assert await chosen.passed_over(E) == ["p1"]
        taken = []
        for _number in range(20):
            begun = time.monotonic()
            assert await chosen.passed_over(E) == ["p1"]
            taken.append(time.monotonic() - begun)
            await asyncio.sleep(0.05)
        # Whoever waits does so each time; a busy machine does not.
        assert sorted(taken)[len(taken) // 2] < 0.2
        fakes[0].behaviour = "200"
        for _number in range(30):
            await asyncio.sleep(0.1)
            if await chosen.passed_over(E) == []:
                return
        pytest.fail("the first parent is never used again")

    run(scenario)


def test_a_dead_endpoint_says_nothing_of_another(made: Callable[..., list[Any]]) -> None:
    fakes = made("503", "503")
    chosen = chooser(fakes)

    async def scenario() -> None:
        assert await chosen.passed_over("gone.example:443") == []
        for fake in fakes:
            fake.behaviour = "200"
        assert await chosen.passed_over(E) == []
        assert len(fakes[0].heads) == 2

    run(scenario)


def test_what_is_remembered_is_bounded(made: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "MOST_ENDPOINTS", 5)
    monkeypatch.setattr(program, "MOST_LOOKS", 3)
    fakes = made("mute", "mute")
    chosen = chooser(fakes)

    async def scenario() -> None:
        await asyncio.gather(*(chosen.passed_over(f"e{number}.example:443") for number in range(40)))
        assert len(chosen._known) == 5
        assert len(fakes[0].heads) + len(fakes[1].heads) <= 6

    run(scenario)


def test_what_was_known_is_forgotten(made: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "FORGOTTEN", 0.1)
    fakes = made("503", "200")
    chosen = chooser(fakes)

    async def scenario() -> None:
        assert await chosen.passed_over(E) == ["p1"]
        fakes[0].behaviour = "200"
        await asyncio.sleep(0.2)
        assert await chosen.passed_over(E) == []

    run(scenario)


CONFIG = """
http_port 3128
cache_peer 10.0.0.1 parent 3128 0 no-query name=dmz-1 connect-timeout=2 connect-fail-limit=1000000
cache_peer proxy.corp.example parent 8080 0 name=corp connect-timeout=4 tls ssldomain=corp tls-cafile=/ca.pem login=us%20er:p%3Aw%23
cache_peer 2001:db8::1 parent 3128 0 name=six connect-timeout=2
# cache_peer 10.0.0.9 parent 3128 0 name=gone
cache_peer_access dmz-1 deny skip:1
"""


def test_parents_are_read_from_the_configuration() -> None:
    assert program.parents(CONFIG) == [
        program.Parent("dmz-1", "10.0.0.1", 3128, 2.0, tls_name="10.0.0.1"),
        program.Parent("corp", "proxy.corp.example", 8080, 4.0, "us%20er:p%3Aw%23", True, "corp", "/ca.pem"),
        program.Parent("six", "2001:db8::1", 3128, 2.0, tls_name="2001:db8::1"),
    ]
    assert program.named(CONFIG) == ["proxy.corp.example"]


def test_the_question_to_a_parent_has_its_login_and_nothing_of_a_client() -> None:
    head = program.parents(CONFIG)[1].request(E).decode()
    assert head == (
        f"CONNECT {E} HTTP/1.1\r\nHost: {E}\r\nUser-Agent: ot-proxy-parents\r\n"
        "Proxy-Authorization: Basic dXMgZXI6cDp3Iw==\r\n\r\n"
    )


def answers(tmp_path: Path, config: str, questions: bytes) -> tuple[int, list[str]]:
    """What the program says to Squid, and how it ends."""
    path = tmp_path / "squid.conf"
    path.write_text(config)
    process = subprocess.Popen(
        [sys.executable, "-I", str(PROGRAM), "ask", str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(questions)
    process.stdin.flush()
    wanted = sum(line.split(b" ")[0].isdigit() for line in questions.split(b"\n"))
    said = [process.stdout.readline().decode().strip() for _number in range(wanted)]
    process.stdin.close()
    return process.wait(5), said


def test_whatever_squid_asks_is_answered_once(tmp_path: Path, made: Callable[..., list[Any]]) -> None:
    bad, good = made("503", "200")
    config = "".join(
        f"cache_peer 127.0.0.1 parent {fake.port} 0 name={name} connect-timeout=1\n"
        for name, fake in (("bad", bad), ("good", good))
    )
    hostile = b"x" * 200_000 + b"\n\n \n\xff\xfe\n-1 a:1\n5 \n6 a b c\n7 -o\n8 http://a/\n9 \xff:443\n10 a.example:443"
    code, said = answers(tmp_path, config, hostile + b" -\n11 A.example:99999 -\n12 [::1]:443\n")
    assert code == 0
    assert sorted(said, key=lambda line: int(line.split()[0])) == [
        "5 ERR",
        "6 ERR",
        "7 ERR",
        "8 ERR",
        "9 ERR",
        "10 OK skip_=bad",
        "11 OK skip_=bad",
        "12 OK skip_=bad",
    ]


def test_a_parent_that_cannot_be_asked_at_all_harms_nobody(tmp_path: Path) -> None:
    config = (
        "cache_peer nowhere.invalid parent 1 0 name=a connect-timeout=1\n"
        "cache_peer 127.0.0.1 parent 1 0 name=b connect-timeout=1 tls tls-cafile=/nowhere\n"
    )
    assert answers(tmp_path, config, b"1 a.example:443 -\n") == (0, ["1 OK"])


class TestNames:
    def looks(self, *found: bool, every: float = 10) -> list[bool]:
        """Return for each look whether Squid was reloaded; a look is whether the name resolves."""
        names = program.Names()
        return [names.look("one", {"proxy": there}, every * number) == "proxy" for number, there in enumerate(found)]

    def test_a_name_that_resolves_again_reloads_once(self) -> None:
        assert self.looks(False, False, True, True, True) == [False, False, True, False, False]
        assert self.looks(True, False, True, True) == [False, False, True, False]
        assert self.looks(True, True, True) == [False, False, False]

    def test_flapping_is_followed_once_a_minute_at_most_and_ends_healed(self) -> None:
        said = self.looks(*[False, True] * 30, *[True] * 6)
        assert sum(said) <= 11
        assert any(said[-7:])

    def test_a_start_of_squid_counts_as_not_known(self) -> None:
        names = program.Names()
        assert names.look("one", {"proxy": True}, 100) == ""
        assert names.look("two", {"proxy": True}, 110) == "proxy"
        assert names.look("two", {"proxy": True}, 120) == ""

    def test_a_squid_that_does_not_run_is_left_alone(self) -> None:
        names = program.Names()
        assert names.look("one", {"proxy": False}, 100) == ""
        assert names.look("", {"proxy": True}, 110) == ""
        assert names.look("two", {"proxy": True}, 120) == "proxy"

    def test_a_squid_that_starts_after_the_first_look_may_have_found_no_name(self) -> None:
        names = program.Names()
        assert names.look("", {"proxy": True}, 100) == ""
        assert names.look("one", {"proxy": True}, 110) == "proxy"

    @given(st.lists(st.booleans(), max_size=60))
    def test_no_answers_make_a_storm(self, found: list[bool]) -> None:
        at = [number * 10 for number, said in enumerate(self.looks(*found)) if said]
        assert all(later - earlier >= program.GAP for earlier, later in itertools.pairwise(at))

    @given(st.lists(st.booleans(), max_size=40))
    def test_whatever_was_before_a_name_that_resolves_is_found_in_the_end(self, before: list[bool]) -> None:
        squid_has = False
        for number, (said, there) in enumerate(
            zip(self.looks(*before, *[True] * 8), [*before, *[True] * 8], strict=True)
        ):
            squid_has = there if number == 0 else squid_has or (said and there)
        assert squid_has
