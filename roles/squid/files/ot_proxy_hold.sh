#!/bin/sh
# Managed by Ansible, ot_security.proxy_chaining.
# Usage: ot_proxy_hold.sh [HALVES [SECONDS]]
# Run before Squid reads a new configuration: whoever is on the way to a parent then gets 500. So nobody new comes in, and it is waited
# until all who came before have their answer, for so many half seconds at most. What is dropped here, clients send again, a second later
# and, if need be, three. The rule ends by itself after so many seconds; where there is no nftables, nothing is held.
set -eu
ports=$(sed -nE 's/^https?_port ([^ ]*:)?([0-9]+)( .*)?$/\2/p' /etc/squid/squid.conf | sort -u)
elements=$(echo "$ports" | sed "s/\$/ timeout ${2:-1}s/" | paste -sd ,)
sockets=$(echo "$ports" | sed 's/^/or sport = :/' | paste -sd ' ')
for _ in $(seq "${1:-4}"); do
  nft -f - <<RULES
add table inet ot_proxy_hold
delete table inet ot_proxy_hold
add table inet ot_proxy_hold
add set inet ot_proxy_hold ports { type inet_service; flags timeout; }
add chain inet ot_proxy_hold prerouting { type filter hook prerouting priority raw; }
add rule inet ot_proxy_hold prerouting iifname != "lo" tcp dport @ports tcp flags & (syn | ack) == syn drop
add element inet ot_proxy_hold ports { $elements }
RULES
  sleep 0.5
  # Who got nothing yet has no bytes_sent. The checks of this host itself go on.
  ss --no-header --oneline --tcp --numeric --info state established "( ${sockets#or } ) and not src 127.0.0.0/8" | grep --quiet --invert-match bytes_sent || break
done
