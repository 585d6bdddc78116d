#!/bin/sh
# Managed by Ansible, ot_security.proxy_chaining.
# Run before Squid reads a new configuration: whoever is on the way to a parent then gets 500, so for a moment nobody new comes in.
# What is dropped here, clients send again after a second. The rule ends by itself; where there is no nftables, nothing is held.
set -eu
ports=$(sed -nE 's/^https?_port ([^ ]*:)?([0-9]+)( .*)?$/\2 timeout 1s/p' /etc/squid/squid.conf | sort -u | paste -sd ,)
nft -f - <<RULES
add table inet ot_proxy_hold
add set inet ot_proxy_hold ports { type inet_service; flags timeout; }
add chain inet ot_proxy_hold input { type filter hook input priority raw; }
flush chain inet ot_proxy_hold input
add rule inet ot_proxy_hold input iifname != "lo" tcp dport @ports tcp flags & (syn | ack) == syn drop
flush set inet ot_proxy_hold ports
add element inet ot_proxy_hold ports { $ports }
RULES
sleep 0.5
