"""STAND-IN for Microsoft Entra ID: a token for the right secret, the real error for a wrong one."""

from __future__ import annotations

import datetime
import urllib.parse
from dataclasses import dataclass

from tests.cloud.arm.exchange import Answer, Json, Request
from tests.cloud.arm.faults import Faults

HOST = "login.microsoftonline.com"
TOKEN = "stand-in-token"


@dataclass(frozen=True)
class Account:
    """The service principal that exists."""

    subscription: str = "11111111-1111-4111-8111-111111111111"
    tenant: str = "22222222-2222-4222-8222-222222222222"
    client: str = "33333333-3333-4333-8333-333333333333"
    secret: str = "stand-in-secret"


def answer(request: Request, account: Account, faults: Faults) -> Answer:
    """Answer what comes to a sign-in host; each cloud has one."""
    host = request.host
    if request.path.endswith("/discovery/instance"):
        return Answer(
            200,
            {
                "tenant_discovery_endpoint": f"https://{host}/{account.tenant}/v2.0/.well-known/openid-configuration",
                "api-version": "1.1",
                "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
            },
        )
    if request.path.endswith("/.well-known/openid-configuration"):
        base = f"https://{host}/{account.tenant}"
        return Answer(
            200,
            {
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "issuer": f"{base}/v2.0",
                "tenant_region_scope": "EU",
            },
        )
    if request.path.endswith("/oauth2/v2.0/token") and request.method == "POST":
        return _token(request, account, faults)
    return Answer(404, {"error": "invalid_request", "error_description": "AADSTS90002: not found."})


def _token(request: Request, account: Account, faults: Faults) -> Answer:
    form = dict(urllib.parse.parse_qsl(request.raw.decode()))
    if request.path.split("/")[1] != account.tenant:
        return _refuse(400, "invalid_request", 90002, f"Tenant '{request.path.split('/')[1]}' not found.")
    if form.get("client_id") != account.client:
        text = f"Application with identifier '{form.get('client_id')}' was not found in the directory."
        return _refuse(400, "unauthorized_client", 700016, text)
    if form.get("client_secret") != account.secret or faults.wrong_secret():
        text = (
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, "
            f"not the client secret ID, for a secret added to app '{account.client}'."
        )
        return _refuse(401, "invalid_client", 7000215, text)
    return Answer(200, {"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": TOKEN})


def _refuse(status: int, error: str, number: int, text: str) -> Answer:
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%SZ")
    body: Json = {
        "error": error,
        "error_description": f"AADSTS{number}: {text} Trace ID: 0 Correlation ID: 0 Timestamp: {now}",
        "error_codes": [number],
        "timestamp": now,
        "trace_id": "00000000-0000-0000-0000-000000000000",
        "correlation_id": "00000000-0000-0000-0000-000000000000",
        "error_uri": f"https://{HOST}/error?code={number}",
    }
    return Answer(status, body)
