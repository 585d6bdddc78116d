# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module's arguments, sentences and results; the host is the one of the sequence's own tests."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid.host import Host
from ansible_collections.ot_security.proxy_chaining.plugins.modules import squid_config

from ..module_utils.fake_squid import CONFIG, USERS, FakeHost, config, proven

OLD = proven()
NEW = config(more="acl sensor2 src 10.0.0.2\n")

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    """The host that the module finds itself on."""
    fake = FakeHost(OLD)
    monkeypatch.setattr(squid_config, "Host", lambda *_arguments: fake)
    return fake


@pytest.fixture
def run(host: FakeHost, run_main: Callable[..., dict[str, Any]]) -> Iterator[Run]:
    """Run the module with these arguments on top of what it needs; return what it prints."""
    signals = {number: signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)}

    def run_module(**given: Any) -> dict[str, Any]:
        arguments = {
            "path": CONFIG,
            "users_path": USERS,
            "content": config(),
            "probe_endpoints": ["a.example", "b.example"],
        }
        arguments = {name: value for name, value in (arguments | given).items() if value is not None}
        return run_main(squid_config.main, arguments)

    yield run_module
    for number, handler in signals.items():
        signal.signal(number, handler)


def test_nothing_to_change(run: Run) -> None:
    result = run()
    assert (result["changed"], result["action"], result["restart_reasons"]) == (False, "none", [])
    assert result["endpoints"] == {"a.example": "200", "b.example": "200"}
    assert "diff" not in result


def test_a_change_shows_its_lines(run: Run, host: FakeHost) -> None:
    result = run(content=NEW)
    assert (result["changed"], result["action"]) == (True, "reload")
    assert "acl sensor2 src 10.0.0.2\n" in result["diff"]["after"]
    assert result["diff"]["before_header"] == result["diff"]["after_header"] == CONFIG
    assert host.files[CONFIG] == host.loaded


def test_check_mode_changes_nothing(run: Run, host: FakeHost) -> None:
    result = run(content=NEW, _ansible_check_mode=True)
    assert result["changed"]
    assert "sensor2" in result["diff"]["after"]
    assert (host.files, host.loaded) == ({CONFIG: OLD}, OLD)


def test_no_secret_is_printed(run: Run, host: FakeHost) -> None:
    more = "cache_peer p parent 1 0 login=u:@@p@@\n"
    result = run(
        content=config(more=more),
        secrets={"p": "pär/ent-secret"},
        users=[{"username": "anna", "password": "client-secret"}],
        _ansible_diff=True,
    )
    printed = json.dumps(result, ensure_ascii=False)
    live = host.files[CONFIG]
    for secret in ("pär/ent-secret", "p%C3%A4r%2Fent-secret", "client-secret", "$6$"):
        assert secret not in printed
    assert "login=u:p%C3%A4r%2Fent-secret\n" in live
    token = live.split("^")[1].split("$")[0]
    assert token not in printed
    assert "0" * 32 not in printed


def test_no_secret_is_printed_when_squid_repeats_it(run: Run, host: FakeHost) -> None:
    host.parse_says = (0, "2026/01/01 00:00:00| ERROR: unknown option: par%2Fent-secret or par/ent-secret\n")
    result = run(content=NEW, secrets={"p": "par/ent-secret"})
    assert result["failed"]
    assert "ent-secret" not in json.dumps(result)


def test_a_refused_configuration_fails_with_the_path_and_the_reason(run: Run) -> None:
    result = run(content=config("unparsable"))
    assert result["failed"]
    assert result["msg"].startswith(f"{CONFIG}: Squid refuses the configuration: ERROR: unknown in {CONFIG} line 5")


def test_a_failed_proof_fails_with_the_state(run: Run, host: FakeHost) -> None:
    result = run(content=config("loses a.example"))
    assert result["msg"] == (
        f"{CONFIG}: what worked before no longer does after the reload: a.example (503). "
        "The previous configuration is back and works."
    )
    assert host.serves(OLD)


def test_the_halves_of_a_change_of_many_proxies(run: Run, host: FakeHost) -> None:
    login = "auth_param basic credentialsttl 1 minute\n"
    users = [{"username": "anna", "password": "old"}]
    first = run(content=config(more=login), users=users, phase="begin")
    assert (first["patient"], first["replaced"]) == (False, True)
    hashed = host.files[USERS]
    second = run(
        content=config(more=login),
        users=[{"username": "anna", "password": "new"}],
        phase="begin",
        moving_users=["anna"],
    )
    assert (second["patient"], second["replaced"]) == (True, True)
    host.files[USERS] = hashed
    third = run(content=config(more=login), users=[], kept_users=["anna"], phase="finish")
    assert (third["changed"], third["patient"], third["replaced"], host.files[USERS]) == (True, False, False, hashed)


def test_what_worked_when_the_run_began(run: Run, host: FakeHost) -> None:
    host.down = {"a.example"}
    assert run(content=NEW, worked=["b.example"])["changed"]
    assert run(content=config(), worked=["a.example"])["msg"].endswith(
        "The previous configuration is back, but what worked before no longer does: a.example (503)."
    )


def test_a_restart_is_a_warning(run: Run) -> None:
    result = run(content=config(more="workers 4\n"))
    assert (result["action"], result["restart_reasons"]) == ("restart", ["workers"])
    assert "Squid was restarted, which drops every tunnel: a reload cannot change workers." in str(result["warnings"])


def test_the_restart_of_what_was_just_installed_drops_nothing(run: Run) -> None:
    result = run(content=config(more="workers 4\n"), new=True)
    assert (result["action"], result["restart_reasons"]) == ("restart", ["workers"])
    assert "restarted" not in str(result["warnings"])


def test_a_restart_to_come_is_a_warning_too(run: Run) -> None:
    result = run(content=config(more="workers 4\n"), _ansible_check_mode=True)
    assert "Squid would be restarted, which drops every tunnel" in str(result["warnings"])


def test_a_silent_upstream_is_a_warning(run: Run, host: FakeHost) -> None:
    host.down = {"a.example"}
    assert "upstream of it does not answer: a.example (503)" in str(run()["warnings"])


def test_without_anything_to_ask_nothing_can_be_proven(run: Run, host: FakeHost) -> None:
    result = run(probe_endpoints=[])
    assert result["msg"] == "probe_endpoints must not be empty; without an endpoint nothing could be proven."
    assert host.log == []


@pytest.mark.parametrize("name", ["addresses", "port", "tls_port"])
def test_where_to_ask_is_said_by_the_content_alone(run: Run, host: FakeHost, name: str) -> None:
    assert "Unsupported parameters" in run(**{name: 3128})["msg"]
    assert host.log == []


def test_what_is_required_is_required(run: Run) -> None:
    assert run(probe_endpoints=None)["msg"] == "missing required arguments: probe_endpoints"
    assert run(content=None)["msg"] == "state is present but all of the following are missing: content"
    assert "no previous configuration to go back to" in run(state="previous", content=None)["warnings"][0]


@pytest.mark.parametrize(
    "line",
    [
        "visible_hostname site1\n",
        "^@@probe-token@@$",
        "acl probe_token req_header X-Proxy-Chaining-Probe ^@@probe-token@@$\n",
        "$\n",
    ],
    ids=["name", "token", "acl", "end of the token"],
)
@pytest.mark.parametrize("check_mode", [False, True])
def test_content_that_could_not_be_proven_is_refused_before_anything_is_done(
    run: Run, host: FakeHost, line: str, check_mode: bool
) -> None:
    result = run(content=NEW.replace(line, "\n"), _ansible_check_mode=check_mode)
    assert result["failed"]
    assert result["msg"] == (
        "content must set visible_hostname and have a line 'acl NAME req_header X-Proxy-Chaining-Probe "
        "^@@probe-token@@$'; without them nothing could be proven."
    )
    assert (host.log, host.files) == ([], {CONFIG: OLD})


def test_a_command_that_cannot_be_run_is_for_the_sequence_to_handle(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    # AnsibleModule.run_command would end the module, between swap and proof too, unless it is told not to.
    runners: list[Callable[[list[str]], object]] = []

    def make(runner: Callable[[list[str]], object], *_arguments: str) -> FakeHost:
        runners.append(runner)
        return FakeHost(OLD)

    monkeypatch.setattr(squid_config, "Host", make)
    run()
    with pytest.raises(OSError, match="No such file"):
        runners[0](["/nowhere/systemctl"])


def test_a_host_that_cannot_be_written_is_a_sentence(run: Run, host: FakeHost) -> None:
    host.errors["stage"] = PermissionError(13, "Permission denied")
    assert run(content=NEW)["msg"] == (
        f"{CONFIG}: could not be changed on this host: [Errno 13] Permission denied; see that it runs as root."
    )


def test_every_address_is_asked_at_every_port(run: Run, host: FakeHost) -> None:
    ports = "http_port 127.0.0.1:3128\nhttp_port [::1]:3128\nhttps_port 127.0.0.1:3129 tls-cert=x\n"
    content = NEW.replace("http_port 3128\n", ports)
    assert "127.0.0.1:3129 does not answer" in run(content=content + "fault deaf 3129\n")["msg"]
    assert host.serves(OLD)
    assert run(content=content)["action"] == "reload"


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_a_lost_connection_does_not_stop_the_sequence(run: Run, host: FakeHost, number: signal.Signals) -> None:
    reload = host.systemctl
    heard: list[int] = []
    signal.signal(number, lambda received, _frame: heard.append(received))

    def lose_the_connection(verb: str) -> str:
        os.kill(os.getpid(), number)
        return reload(verb)

    host.systemctl = lose_the_connection  # type: ignore[method-assign]
    assert run(content=NEW)["action"] == "reload"
    assert heard == []


def test_the_host_is_made_of_the_arguments(run: Run, host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[str, ...]] = []

    def make(_run: object, *arguments: str) -> Host:
        made.append(arguments)
        return host

    monkeypatch.setattr(squid_config, "Host", make)
    run(binary="/opt/squid", service="squid@2", group="squid")
    run()
    assert made == [("/opt/squid", "squid@2", "squid"), ("/usr/sbin/squid", "squid", "proxy")]


def test_the_documentation_names_every_argument_and_default() -> None:
    yaml = pytest.importorskip("yaml")
    documented = yaml.safe_load(squid_config.DOCUMENTATION)["options"]
    assert {name: option.get("default") for name, option in documented.items()} == {
        name: argument.get("default") for name, argument in squid_config.ARGUMENTS.items()
    }
