"""Show what passes through the lab of `make demo` and what is refused, from CONNECTs that were really made."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "shared"))

import lab

SITE = "http://10.100.100.250:3128"
HOPS = ("ot-demo-plant-a-proxy", "ot-demo-dmz-proxy")
ENDPOINTS = (
    "demo-hub.azure-devices.net",
    "demostore.blob.core.windows.net",
    "demo-events.servicebus.windows.net",
    "download.microsoft.com",
)


@dataclass(frozen=True)
class Case:
    """A CONNECT, and whether it must pass."""

    source: str
    endpoint: str
    port: int = 443
    allowed: bool = True


ALLOWED = [Case(sensor, endpoint) for sensor in ("ot-demo-sensor1", "ot-demo-sensor2") for endpoint in ENDPOINTS]
REFUSED = [
    Case("ot-demo-sensor1", ENDPOINTS[0], port=8443, allowed=False),
    Case("ot-demo-sensor1", "www.example.com", allowed=False),
    Case("ot-demo-stranger", ENDPOINTS[0], allowed=False),
]


def seen_by(target: str) -> list[str]:
    """The hops whose access log ends with an answered CONNECT to the target."""
    found = []
    for hop in HOPS:
        lines = lab.log_lines(hop, target)
        if lines and " TCP_TUNNEL/200 " in lines[-1]:
            found.append(hop.removeprefix("ot-demo-"))
    return found


def show(case: Case) -> bool:
    """Make the CONNECT, print its line and say whether it went as it must."""
    result = lab.visit(case.source, SITE, case.endpoint, port=case.port)
    passed = result.connect == 200 and result.body == f"endpoint {case.endpoint}"
    if passed:
        hops = " -> ".join(seen_by(f"{case.endpoint}:{case.port}"))
    else:
        hops = "refused by plant-a-proxy" if result.connect == 403 else "endpoint not reached"
    good = passed if case.allowed else result.connect == 403
    target = f"{case.endpoint}:{case.port}"
    source = case.source.removeprefix("ot-demo-")
    print(f"  {source:9} {hops:28} {target:40} {result.connect:3}  {'ok' if good else 'WRONG'}")
    return good


def main() -> int:
    """Print both tables; exit with 1 when anything went otherwise than it must."""
    print("\nWhat passes (sensor, hops that logged it, endpoint, answer to CONNECT):")
    good = [show(case) for case in ALLOWED]
    print("\nWhat is refused (another port, another domain, an unknown source):")
    good += [show(case) for case in REFUSED]
    print(f"\n{sum(good)} of {len(good)} as it must be")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
