#!/usr/bin/env bash
# The plant around the proxy, in two network namespaces of its guest: "ot" has a sensor and a stranger, "up" a parent, the endpoints, a
# name server and a log server. /etc/lab.conf says after how many seconds of this boot the proxy's addresses, the name server and the
# parent are there.
set -euo pipefail

ADDRESSES_AFTER=0 NAMES_AFTER=0 PARENT_AFTER=0
# shellcheck source=/dev/null
if [ -e /etc/lab.conf ]; then . /etc/lab.conf; fi

link() {
  ip netns add "$1"
  ip -n "$1" link set lo up
  ip link add "$1"0 type veth peer name eth0 netns "$1"
  ip link set "$1"0 up
  for address in "${@:2}"; do ip -n "$1" address add "$address/24" dev eth0; done
  ip -n "$1" link set eth0 up
}

service() {
  systemd-run --quiet --collect --unit="lab-$1" --property=ExecStartPre="/bin/sleep $2" --property=NetworkNamespacePath="/run/netns/$3" \
    --property=BindReadOnlyPaths="-/etc/netns/$3/hosts:/etc/hosts" --property=TimeoutStartSec=infinity --no-block "${@:4}"
}

link ot 10.10.0.1 10.10.0.9
link up 10.50.0.10 10.50.0.80
service knock 0 ot python3 /opt/lab/knock.py /run/knocks 10.10.0.250 10.10.0.1=sensor1:sensor-secret 10.10.0.9
service endpoint 0 up python3 /opt/lab/endpoint.py hub.azure-devices.net download.microsoft.com
service names "$NAMES_AFTER" up python3 /opt/lab/names.py /opt/lab/names
service parent "$PARENT_AFTER" up python3 /opt/lab/bad_parent.py
cat >/run/log.py <<'END'
import shutil, socket
server = socket.create_server(("", 514))
while True:
    shutil.copyfileobj(server.accept()[0].makefile("rb", 0), open("/var/tmp/lab-log", "ab", 0))
END
service log 0 up python3 /run/log.py
systemd-run --quiet --collect --unit=lab-addresses --no-block bash -c "sleep $ADDRESSES_AFTER
  ip address add 10.10.0.250/24 dev ot0; ip address add 10.50.0.21/24 dev up0"
