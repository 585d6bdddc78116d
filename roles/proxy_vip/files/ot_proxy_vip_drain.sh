#!/bin/sh
# Managed by Ansible, ot_security.proxy_chaining.
# Sends the pair's addresses to another member, and waits until new CONNECTs arrive there.
echo 1 >/run/ot-proxy-vip.drain
sleep 1
