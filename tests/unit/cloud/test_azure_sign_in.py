# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each way to sign in to Azure that docs/azure.md names: what a real module asks for a token, and with which token it comes."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.parse
from pathlib import Path
from typing import Any

import pytest

from tests.cloud.arm import sign_in
from tests.cloud.arm.exchange import Answer, Request
from tests.cloud.arm.faults import Faults
from tests.cloud.front import Front

Json = dict[str, Any]

ROOT = Path(__file__).parents[3]
CLOUD = ROOT / ".cache/cloud"
ACCOUNT = sign_in.Account()
GROUP = f"/subscriptions/{ACCOUNT.subscription}/resourceGroups/rg"
ASSERTION = "the.federated.token"

# Where each cloud gives tokens, and where it is managed.
CLOUDS = {
    "AzureCloud": ("login.microsoftonline.com", "management.azure.com"),
    "AzureUSGovernment": ("login.microsoftonline.us", "management.usgovcloudapi.net"),
    "AzureChinaCloud": ("login.chinacloudapi.cn", "management.chinacloudapi.cn"),
}
PRINCIPAL = {"AZURE_TENANT": ACCOUNT.tenant, "AZURE_CLIENT_ID": ACCOUNT.client, "AZURE_SECRET": ACCOUNT.secret}
# As the webhook of AKS sets them.
WORKLOAD = {
    "AZURE_TENANT_ID": ACCOUNT.tenant,
    "AZURE_CLIENT_ID": ACCOUNT.client,
    "AZURE_FEDERATED_TOKEN_FILE": "{folder}/token",
}
# The SDK's own variable stands for the address 169.254.169.254.
IDENTITY = {"ANSIBLE_AZURE_AUTH_SOURCE": "msi", "AZURE_POD_IDENTITY_AUTHORITY_HOST": "{front}"}
CLI = {"PATH": "{folder}:" + os.environ["PATH"]}


def _in(cloud: str) -> dict[str, str]:
    return {"AZURE_CLOUD_ENVIRONMENT": cloud}


def _principal(cloud: str, **more: str) -> Json:
    login, managed = CLOUDS[cloud]
    form = {"grant_type": "client_credentials", "client_id": ACCOUNT.client, "scope": f"https://{managed}/.default"}
    return {"host": login, "path": f"/{ACCOUNT.tenant}/oauth2/v2.0/token", **form, **more}


def _identity(**more: str) -> Json:
    asked = {"host": "", "path": "/metadata/identity/oauth2/token", "resource": "https://management.azure.com"}
    return asked | {"metadata": "true"} | more


def _cli(cloud: str) -> Json:
    return {"host": "az", "arguments": f"account get-access-token --output json --resource https://{CLOUDS[cloud][1]}"}


SECRET = {"client_secret": ACCOUNT.secret}
WITH_ASSERTION = {
    "client_assertion": ASSERTION,
    "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
}
WAYS: dict[str, tuple[dict[str, str], Json, str]] = {
    "a service principal": (PRINCIPAL, _principal("AzureCloud", **SECRET), "AzureCloud"),
    "workload identity": (WORKLOAD, _principal("AzureCloud", **WITH_ASSERTION), "AzureCloud"),
    "az login": (CLI, _cli("AzureCloud"), "AzureCloud"),
    "the identity of a machine": (IDENTITY, _identity(), "AzureCloud"),
    "one of its identities": (
        IDENTITY | {"AZURE_CLIENT_ID": ACCOUNT.client},
        _identity(client_id=ACCOUNT.client),
        "AzureCloud",
    ),
    "a service principal in China": (
        PRINCIPAL | _in("AzureChinaCloud"),
        _principal("AzureChinaCloud", **SECRET),
        "AzureChinaCloud",
    ),
    "workload identity for the US government": (
        WORKLOAD | _in("AzureUSGovernment"),
        _principal("AzureUSGovernment", **WITH_ASSERTION),
        "AzureUSGovernment",
    ),
    # The cloud is that of az cloud set.
    "az login for the US government": (
        CLI | {"AZ_CLOUD": "AzureUSGovernment"},
        _cli("AzureUSGovernment"),
        "AzureUSGovernment",
    ),
    # A limit of azure.azcollection that docs/azure.md names; strike it out there when this fails.
    "the identity of a machine, whatever cloud is named": (
        IDENTITY | _in("AzureUSGovernment"),
        _identity(),
        "AzureCloud",
    ),
}
"""By name: the environment, what is asked for a token, and the cloud that gets it."""

AZ = """#!/bin/sh
case "$1 $2" in
  "cloud show") echo "\\"${{AZ_CLOUD:-AzureCloud}}\\"" ;;
  *) echo "$*" >>{folder}/az.log; echo '{{"accessToken": "granted", "expires_on": 4000000000}}' ;;
esac
"""
PLAY = [
    {
        "hosts": "all",
        "connection": "local",
        "gather_facts": False,
        "environment": "{{ way }}",
        "tasks": [{"azure.azcollection.azure_rm_resource_info": {"url": GROUP, "api_version": "2022-09-01"}}],
    }
]


class Azure:
    """Signs everybody in, and notes what was asked for a token, and where the token was used."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tokens: list[Json] = []
        self.used: list[tuple[str, str]] = []
        self.front = Front(folder)
        self.front.serve(tuple(host for hosts in CLOUDS.values() for host in hosts), self._answer, control=self._token)
        self.front.start()
        (folder / "token").write_text(ASSERTION, encoding="utf-8")
        (folder / "az").write_text(AZ.format(folder=folder), encoding="utf-8")
        (folder / "az").chmod(0o755)

    def environment(self, way: dict[str, str]) -> dict[str, str]:
        """Return all that a module is given."""
        given = {name: value.format(folder=self._folder, front=self.front.url) for name, value in way.items()}
        # Nothing of the person's own sign-ins is read or written.
        own = {"HOME": str(self._folder), "AZURE_CONFIG_DIR": str(self._folder / "azure")}
        return {**self.front.environment(), **own, "AZURE_SUBSCRIPTION_ID": ACCOUNT.subscription, **given}

    @property
    def tokens(self) -> list[Json]:
        """What was asked for a token, over the network and of az."""
        log = self._folder / "az.log"
        asked = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        return self._tokens + [{"host": "az", "arguments": line} for line in asked]

    def _answer(self, request: Request) -> Answer:
        if request.host.startswith("management."):
            self.used.append((request.host, request.headers["authorization"]))
            return Answer(200, {"id": GROUP, "name": "rg"})
        return self._token(request) if request.method == "POST" else sign_in.answer(request, ACCOUNT, Faults())

    def _token(self, request: Request) -> Answer:
        form = dict(urllib.parse.parse_qsl(request.raw.decode()))
        headers = {name: value for name, value in request.headers.items() if name == "metadata"}
        self._tokens.append({"host": request.host, "path": request.path, **request.query, **headers, **form})
        return Answer(200, {"token_type": "Bearer", "expires_in": 3599, "access_token": "granted"})


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Azure]:
    """Go each way with a real module, all in one run, since a run takes longer to start than a module to sign in."""
    folder = tmp_path_factory.mktemp("ways")
    azures = {way: Azure(tmp_path_factory.mktemp("azure")) for way in WAYS}
    hosts = {f"way{number}": {"way": azures[way].environment(WAYS[way][0])} for number, way in enumerate(WAYS)}
    python = {"ansible_python_interpreter": f"{CLOUD}/venv/bin/python"}
    (folder / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts, "vars": python}}), encoding="utf-8")
    (folder / "play.json").write_text(json.dumps(PLAY), encoding="utf-8")
    own = {name: value for name, value in os.environ.items() if not name.startswith(("AZURE_", "ARM_"))}
    done = subprocess.run(
        ["ansible-playbook", "-i", "hosts.json", "-f", "4", "play.json"],
        env={**own, "ANSIBLE_COLLECTIONS_PATH": str(CLOUD / "collections"), "ANSIBLE_NOCOLOR": "true"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    for azure in azures.values():
        azure.front.stop()
    assert done.returncode == 0, done.stdout + done.stderr
    return azures


@pytest.mark.parametrize("way", WAYS)
def test_each_way_asks_for_its_token(seen: dict[str, Azure], way: str) -> None:
    _environment, wanted, cloud = WAYS[way]
    (asked,) = seen[way].tokens
    assert {**asked, **wanted} == asked
    assert seen[way].used == [(CLOUDS[cloud][1], "Bearer granted")]
