# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stand-in for Azure fails as ordered, and in Azure's words."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from tests.cloud.arm import manager, sign_in
from tests.cloud.arm.exchange import Answer, Request

from .client import GROUP, NET, SCALE_SET, WORLD, Azure, Json, network, of, scale_set

TOKEN = "https://login.microsoftonline.com/22222222-2222-4222-8222-222222222222/oauth2/v2.0/token"


def _sign_in(azure: Azure, secret: str) -> requests.Response:
    form = {
        "client_id": azure.environment["AZURE_CLIENT_ID"],
        "client_secret": secret,
        "grant_type": "client_credentials",
    }
    return azure.session.post(TOKEN, data=form, timeout=10)


def test_refuses_a_wrong_secret(azure: Azure) -> None:
    """Or the right one, when ordered."""
    right = azure.environment["AZURE_SECRET"]
    assert _sign_in(azure, right).json()["token_type"] == "Bearer"
    wrong = _sign_in(azure, "wrong")
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")
    assert wrong.json()["error_description"].startswith("AADSTS7000215: Invalid client secret provided.")
    azure.control("PUT", "/faults", [{"kind": "wrong_secret"}])
    assert _sign_in(azure, right).status_code == 401


def test_forbids(azure: Azure) -> None:
    """One kind of request on one kind of resource."""
    azure.control("PUT", "/faults", [{"kind": "forbidden", "path": "virtualNetworks", "method": "PUT"}])
    answer = azure.ask("PUT", NET, {"location": "westeurope", "properties": network()})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "AuthorizationFailed")
    assert "to perform action 'Microsoft.Network/virtualNetworks/write' over scope" in answer.json()["error"]["message"]
    assert azure.ask("GET", NET).status_code == 404


def test_throttles(azure: Azure) -> None:
    """As often as ordered."""
    azure.control("PUT", "/faults", [{"kind": "throttled", "path": "resourceGroups/rg$", "times": 2, "seconds": 3}])
    found = [azure.ask("GET", GROUP) for _attempt in range(3)]
    assert [answer.status_code for answer in found] == [429, 429, 200]
    assert found[0].headers["Retry-After"] == "3"


def test_an_instance_is_not_healthy_yet(site: Azure) -> None:
    """As often as ordered; there are as many instances as the scale set's capacity."""
    site.put(SCALE_SET, scale_set(), sku={"name": "Standard_DS1_v2", "capacity": 1})
    view = f"{SCALE_SET}/virtualMachines/0/instanceView"
    site.control("PUT", "/faults", [{"kind": "unhealthy", "path": "virtualMachines/0/", "times": 1}])
    codes = [site.get(view)["vmHealth"]["status"]["code"] for _attempt in range(2)]
    assert codes == ["HealthState/unhealthy", "HealthState/healthy"]
    assert site.ask("GET", view.replace("/0/", "/1/")).status_code == 404


def test_an_instance_runs_a_command(site: Azure) -> None:
    """What it prints is read from Location when the operation has ended."""
    site.put(SCALE_SET, scale_set(), sku={"name": "Standard_DS1_v2", "capacity": 1})
    site.control("PUT", "/faults", [{"kind": "said", "path": "virtualMachines/0/", "message": "no", "times": 1}])
    for printed in ("no", "ot-proxy: CONNECT 200\not-proxy: 0 tunnels"):
        answer = site.ask("POST", f"{SCALE_SET}/virtualMachines/0/runCommand", {"commandId": "RunShellScript"})
        assert (answer.status_code, site.wait(answer)["status"]) == (202, "Succeeded")
        (said,) = site.session.get(answer.headers["Location"], timeout=10).json()["value"]
        assert said["message"] == f"Enable succeeded: \n[stdout]\n{printed}\n\n[stderr]\n"


def test_an_instance_takes_one_command_at_a_time() -> None:
    """Asked without a network, so that the first one is sure to be under way."""
    slow = manager.Manager(sign_in.Account(), seconds=600)
    slow.seed({"id": GROUP, "location": "westeurope"})
    slow.seed({"id": SCALE_SET, "location": "westeurope", "sku": {"name": "Standard_DS1_v2", "capacity": 1}})
    right = {"authorization": f"Bearer {sign_in.TOKEN}"}

    def ask(method: str, path: str) -> Answer:
        body = json.dumps({"commandId": "RunShellScript"}).encode() if method == "POST" else b""
        return slow.answer(Request(method, manager.HOST, path, {"api-version": "2024-07-01"}, right, body))

    place = f"{SCALE_SET}/virtualMachines/0/runCommand"
    first, second = ask("POST", place), ask("POST", place)
    assert (first.status, second.status, second.body["error"]["code"]) == (202, 409, "Conflict")
    result = first.headers["Location"].partition(manager.HOST)[2].partition("?")[0]
    assert ask("GET", result).status == 202


@pytest.mark.parametrize(
    ("method", "instance", "body", "status"),
    [
        ("GET", "0", {"commandId": "RunShellScript"}, 405),
        ("POST", "1", {"commandId": "RunShellScript"}, 404),
        ("POST", "0", {"commandId": "RunPowerShellScript"}, 404),
        ("POST", "0", {"commandId": "RunShellScript", "script": "true"}, 400),
        ("POST", "0", {"command": "RunShellScript"}, 400),
        ("POST", "0", {}, 400),
    ],
)
def test_an_instance_refuses_a_command(site: Azure, method: str, instance: str, body: Json, status: int) -> None:
    site.put(SCALE_SET, scale_set(), sku={"name": "Standard_DS1_v2", "capacity": 1})
    assert site.ask(method, f"{SCALE_SET}/virtualMachines/{instance}/runCommand", body).status_code == status


def test_an_operation_fails(azure: Azure) -> None:
    """The resource stays behind as failed, and the next PUT repairs it."""
    fault: Json = {"kind": "failed_operation", "path": "virtualNetworks", "message": "No capacity.", "times": 1}
    azure.control("PUT", "/faults", [fault])
    answer = azure.ask("PUT", NET, {"location": "westeurope", "properties": network()})
    status = azure.wait(answer)
    assert status == {"status": "Failed", "error": {"code": "InternalServerError", "message": "No capacity."}}
    assert azure.get(NET)["properties"]["provisioningState"] == "Failed"
    assert azure.put(NET, network())["properties"]["provisioningState"] == "Succeeded"


def test_a_deployment_fails_with_its_resource(azure: Azure) -> None:
    """The reason is in the details."""
    fault: Json = {"kind": "failed_operation", "path": "virtualNetworks", "message": "No capacity.", "code": "Full"}
    azure.control("PUT", "/faults", [fault])
    resource: Json = {"type": "Microsoft.Network/virtualNetworks", "apiVersion": "2024-03-01", "name": "net"}
    resource |= {"location": "westeurope", "properties": network()}
    template = {"$schema": "https://x#", "contentVersion": "1.0.0.0", "resources": [resource]}
    path = of("deployments", "d", "Microsoft.Resources")
    answer = azure.ask("PUT", path, {"properties": {"mode": "Incremental", "template": template}})
    error = azure.wait(answer)["error"]
    assert error["code"] == "DeploymentFailed"
    assert error["details"] == [{"code": "Full", "message": "No capacity."}]
    operation = azure.get(f"{path}/operations")["value"][0]["properties"]
    assert operation["statusMessage"]["error"]["message"] == "No capacity."
    assert azure.get(NET)["properties"]["provisioningState"] == "Failed"


@pytest.mark.parametrize(
    ("change", "code"),
    [({"zone": "1"}, "InvalidRequestFormat"), ({"apiVersion": "2024-03-02"}, "NoRegisteredProviderFound")],
)
def test_what_a_template_makes_is_checked_too(azure: Azure, change: Json, code: str) -> None:
    """As if it had been sent alone."""
    resource: Json = {
        "type": "Microsoft.Network/natGateways",
        "apiVersion": "2024-03-01",
        "name": "x",
        "location": "westeurope",
    }
    resource |= {"properties": {}, "sku": {"name": "Standard"}, **change}
    template: Json = {"$schema": "https://x#", "contentVersion": "1.0.0.0", "resources": [resource]}
    path = of("deployments", "d", "Microsoft.Resources")
    answer = azure.ask("PUT", path, {"properties": {"mode": "Incremental", "template": template}})
    assert azure.wait(answer)["error"]["details"][0]["code"] == code
    assert len(azure.control("GET", "/violations")) == 1


def test_refuses_unknown_faults(azure: Azure) -> None:
    """A misspelt fault would let a test pass."""
    answer = requests.put(azure.environment["STAND_IN_CONTROL"] + "/faults", json=[{"kind": "fire"}], timeout=10)
    assert (answer.status_code, answer.json()["error"].split(";")[0]) == (400, "there is no fault fire")


def test_reaches_nothing_else(azure: Azure) -> None:
    """A client that talks to another host is noticed."""
    with pytest.raises(requests.exceptions.ProxyError):
        azure.session.get("https://example.org/", timeout=10)


def test_runs_as_a_program(tmp_path: Path) -> None:
    """With its files, until SIGTERM."""
    with subprocess.Popen([sys.executable, "-m", "tests.cloud.arm", "--state", str(tmp_path)]) as program:
        deadline = time.monotonic() + 60
        while not (tmp_path / "ready").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        azure = Azure(json.loads((tmp_path / "env.json").read_text()))
        azure.put(f"{WORLD}/resourceGroups/rg")
        program.send_signal(signal.SIGUSR1)
        while not (tmp_path / "resources.json").exists() or not (tmp_path / "resources.json").read_text():
            time.sleep(0.02)
        program.send_signal(signal.SIGTERM)
        assert program.wait(10) == 0
    assert [item["name"] for item in json.loads((tmp_path / "resources.json").read_text())] == ["rg"]
    logged = [json.loads(line) for line in (tmp_path / "requests.jsonl").read_text().splitlines()]
    assert [(entry["method"], entry["status"]) for entry in logged] == [("PUT", 201), ("GET", 200)]
    assert logged[0]["body"]["location"] == "westeurope"
