"""The sensors of the scenario `sensor`, and the secrets that are planted in it."""

from __future__ import annotations

import base64
import urllib.parse
from dataclasses import dataclass

from simulated import Simulated

PROXY_1, PROXY_2 = "ot-sensor-proxy-1", "ot-sensor-proxy-2"


@dataclass(frozen=True)
class Place:
    """Where a sensor is."""

    address: str
    generation: str
    proxy: str
    hop: str
    """The proxy's address in the sensor's network."""

    @property
    def simulated(self) -> Simulated:
        """Its back door."""
        return Simulated(f"http://{self.address}:8081")


SENSORS = {
    "ot-sensor-23": Place("10.104.0.1", "23", PROXY_1, "10.104.0.11"),
    "ot-sensor-23b": Place("10.104.0.2", "23", PROXY_2, "10.104.0.12"),
    "ot-sensor-10": Place("10.104.0.3", "10", PROXY_1, "10.104.0.11"),
    "ot-sensor-22": Place("10.104.0.4", "22", PROXY_2, "10.104.0.12"),
    "ot-sensor-wizard": Place("10.104.0.5", "wizard", PROXY_2, "10.104.0.12"),
}
ONE, OTHER = "ot-sensor-23", "ot-sensor-23b"
SECRETS = (
    "lab-console-secret",
    "lab-proxy-secret",
    "next-proxy-secret",
    "wrong-proxy-secret",
    "wrong-console-secret",
)


def assert_no_secret(text: str, where: str) -> None:
    """No planted secret, in any spelling, is in the text."""
    for secret in SECRETS:
        credentials = [
            base64.b64encode(f"{user}:{secret}".encode()).decode() for user in ("Plant-A", "Plant-B", "admin")
        ]
        plain = base64.b64encode(secret.encode()).decode().rstrip("=")
        for spelling in (secret, urllib.parse.quote(secret, safe=""), plain, *credentials):
            assert spelling not in text, f"{where} has the secret {secret}"
