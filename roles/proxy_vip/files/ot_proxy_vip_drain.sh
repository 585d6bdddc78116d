#!/bin/sh
# Managed by Ansible, ot_security.proxy_chaining.
# Sends the pair's addresses to another member. Whoever is in the middle of a CONNECT is served here before; new ones are held meanwhile,
# and arrive there.
/bin/sh /usr/lib/squid/ot_proxy_hold.sh
echo 1 >/run/ot-proxy-vip.drain
sleep 1
