# Managed by Ansible, ot_security.proxy_chaining.
# Usage: ot_proxy_vip_check.py ENDPOINT SECONDS
"""Ends well if the Squid on this host opens a CONNECT to the endpoint in time. keepalived runs it every second."""

import re
import socket
import sys
import time
from pathlib import Path


def main(endpoint: str, seconds: float) -> bool:
    """Ask, and ask again as long as there is time: a reload answers what is on its way to a parent with 500."""
    config = Path("/etc/squid/squid.conf").read_text(encoding="utf-8")
    port = re.search(r"(?m)^http_port (?:\S+:)?(\d+)", config)
    token = re.search(r"(?m)^acl probe_token req_header X-Proxy-Chaining-Probe \^(\S+)\$$", config)
    if not port or not token:
        return False
    target = f"{endpoint}:443"
    headers = {"Host": target, "X-Proxy-Chaining-Probe": token[1], "X-Proxy-Chaining-Check": "1"}
    lines = [f"CONNECT {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    request = "\r\n".join([*lines, "", ""]).encode()
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        try:
            with socket.create_connection(("127.0.0.1", int(port[1])), timeout=left) as proxy:
                proxy.sendall(request)
                if re.match(rb"HTTP/1\.\d 200 ", proxy.recv(64)):
                    return True
        except OSError:
            # Nobody listens, or the time is over.
            return False
        time.sleep(0.1)
    return False


if __name__ == "__main__":
    sys.exit(not main(sys.argv[1], float(sys.argv[2])))
