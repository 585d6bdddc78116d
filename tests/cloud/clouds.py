"""STAND-INS for Azure, Google and AWS at the same time: one environment for a playbook that uses them all."""

from __future__ import annotations

from pathlib import Path

import tests.cloud.arm.service as azure
import tests.cloud.aws.service as aws
import tests.cloud.google.service as google
from tests.cloud.front import Front


class Clouds:
    """Azure and Google behind one proxy, and AWS beside it. Each has a folder of its own."""

    def __init__(self, folder: Path) -> None:
        front = Front(folder)
        self.azure = azure.Service(folder / "azure", front=front)
        self.google = google.Service(folder / "google", front=front)
        self.aws = aws.Service(folder / "aws")
        self.google.compute.peers = self._tunnels

    def start(self) -> dict[str, str]:
        """Serve in the background, and return the environment in which all of their clients come here."""
        # AWS comes last: only it goes around a proxy.
        return {**self.azure.start(), **self.google.start(), **self.aws.start()}

    def stop(self) -> None:
        """Serve no more."""
        for service in (self.aws, self.google, self.azure):
            service.stop()

    def _tunnels(self) -> set[tuple[str, str]]:
        """Return the far end and the key of each of Azure's connections."""
        there = {one["id"].lower(): one["properties"] for one in self.azure.manager.dump()}
        ends = ((one, one.get("localNetworkGateway2", {}).get("id", "").lower()) for one in there.values())
        return {(there[end]["gatewayIpAddress"], one["sharedKey"]) for one, end in ends if end in there}
