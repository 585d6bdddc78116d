#!/bin/sh
# Managed by Ansible, ot_security.proxy_chaining.
# Sends the pair's addresses to another member. Whoever is in the middle of a CONNECT is served here before; new ones are held meanwhile,
# and arrive there. They are held on while some may not know yet where the addresses are: who is told that they are not here gives up.
/bin/sh /usr/lib/squid/ot_proxy_hold.sh 10 3
echo 1 >/run/ot-proxy-vip.drain
/bin/sh /usr/lib/squid/ot_proxy_hold.sh 1 3
sleep 0.5
