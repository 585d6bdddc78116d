"""STAND-IN for AWS, as tests use it: starts the server, and asks it without any SDK."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from xml.etree import ElementTree

_CHECKOUT = Path(__file__).parents[3]
_PYTHON = _CHECKOUT / ".cache/cloud/venv/bin/python"
_SECRET = "stand-in-secret"
REGION = "eu-central-1"
ACCOUNT = "STANDINKEY"
_SCOPE = f"{ACCOUNT}/20260101/{REGION}/ec2/aws4_request"
HEADERS = {"Authorization": f"AWS4-HMAC-SHA256 Credential={_SCOPE}, SignedHeaders=host, Signature=0"}
"""Say for which service and region a request is; nobody checks the signature."""


class AwsError(Exception):
    """The service refuses; its text is AWS's code."""


class Service:
    """A whole one. Its folder gets requests.jsonl: action, parameters, region, status, error, violation; and server.log."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None
        self._url = ""

    def start(self) -> dict[str, str]:
        """Serve in the background, and return the environment in which AWS's clients come here."""
        if not _PYTHON.exists():
            raise RuntimeError(f"{_PYTHON} is not there, which has moto; tools/cloud makes it.")
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "server.log").open("w") as log:
            self._process = subprocess.Popen(
                [_PYTHON, "-m", "tests.cloud.aws", self._folder.resolve()],
                cwd=_CHECKOUT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout is not None
        self._url = self._process.stdout.readline().strip()
        if not self._url:
            raise RuntimeError(f"The stand-in for AWS did not start: {(self._folder / 'server.log').read_text()}")
        return self._environment()

    def stop(self) -> None:
        """Serve no more. The server ends with its input, so that it never outlives a test either."""
        if self._process is not None:
            self._process.communicate(timeout=30)
            self._process = None

    def ask(self, action: str, **parameters: str) -> ElementTree.Element:
        """Return the answer to one request.

        Raises:
            AwsError: it is refused.
        """
        body = urllib.parse.urlencode({"Action": action, "Version": "2016-11-15", **parameters}).encode()
        request = urllib.request.Request(self._url, data=body, headers=HEADERS)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=30) as answer:
                return _read(answer.read())
        except urllib.error.HTTPError as error:
            raise AwsError(_read(error.read()).findtext(".//Code")) from None

    def violations(self) -> list[str]:
        """Return what was refused since it is not as AWS publishes it."""
        logged = map(json.loads, (self._folder / "requests.jsonl").read_text(encoding="utf-8").splitlines())
        return [f"{one['action']}: {one['violation']}" for one in logged if one["violation"]]

    def network(self, prefix: str, tables: int = 1) -> tuple[str, list[str]]:
        """Make a VPC, and return its id and those of its route tables."""
        vpc = str(self.ask("CreateVpc", CidrBlock=prefix).findtext(".//vpcId"))
        made = (self.ask("CreateRouteTable", VpcId=vpc) for _number in range(tables))
        return vpc, [str(one.findtext(".//routeTableId")) for one in made]

    def _environment(self) -> dict[str, str]:
        nothing = str((self._folder / "none").resolve())
        return {
            "AWS_ENDPOINT_URL": self._url,
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": _SECRET,
            "AWS_REGION": REGION,
            # Nothing of the person's own is read.
            "AWS_CONFIG_FILE": nothing,
            "AWS_SHARED_CREDENTIALS_FILE": nothing,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }


def _read(raw: bytes) -> ElementTree.Element:
    """Return an answer without its namespace."""
    return ElementTree.fromstring(re.sub(r'\sxmlns="[^"]*"', "", raw.decode()))
