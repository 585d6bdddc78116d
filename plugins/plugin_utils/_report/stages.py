# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each stage of a connection means when it fails, and what to do first. Private to this collection."""

from __future__ import annotations

MEANINGS = {
    "resolve": (
        "A name could not be looked up, or leads to an address inside.",
        "Look the name up on the host that asked (getent hosts NAME), then correct its DNS servers or the inventory; "
        "a private link belongs into squid_private_endpoints.",
    ),
    "tcp": (
        "Nothing accepts connections at this address and port, or a firewall drops them.",
        "See whether Squid runs there (systemctl status squid), then look at the firewalls between the two hosts.",
    ),
    "proxy-auth": (
        "The proxy answered 407: it wants a sign-in, or another one.",
        "Compare user name and password in the inventory with the proxy's, then run the playbook proxies.yml.",
    ),
    "proxy-denied": (
        "The proxy answered 403: none of its rules allows this client to reach this endpoint.",
        "See which rule says so (in the column Last seen). If the sensor or the endpoint is missing in the inventory, "
        "add it and run the playbook proxies.yml; if the proxy is another team's, ask them to allow it.",
    ),
    "parent-unreachable": (
        "The proxy works, but cannot reach the next proxy on the way.",
        "Look at the next proxy first, then at the firewalls between the two.",
    ),
    "endpoint-unreachable": (
        "The last proxy works, but cannot reach the endpoint.",
        "On that proxy's host, look the endpoint's name up, then try its port; usually DNS or the outer firewall.",
    ),
    "tls-untrusted": (
        "The endpoint's certificate is not signed by an authority that the host trusts, is out of date or has "
        "another name.",
        "Look at issuer and expiry in the table of links, then at the clock of the host that asked.",
    ),
    "tls-inspected": (
        "Somebody on the way opens TLS: the certificate was issued by an inspecting proxy or firewall. Sensors refuse it.",
        "Give the issuer in the table of links to the owner of the inspection, and ask to leave these endpoints out.",
    ),
    "pair-nobody": (
        "No member of the pair has its addresses.",
        "See keepalived on each member (journalctl -u keepalived), and whether Squid gets a CONNECT through there.",
    ),
    "pair-split": (
        "Two members of the pair have its addresses at the same time; sensors reach now one, now the other.",
        "Let VRRP (IP protocol 112) pass between the members' own addresses.",
    ),
    "timeout": (
        "No answer came in time.",
        "Look for a firewall that drops packets, and for a proxy that is overloaded or cannot look up names.",
    ),
    "not-seen": (
        "The path works, but its first hop has neither an open tunnel of the sensor nor one in the part of its log that counts.",
        "See that the sensor is on, has this proxy in its settings (playbook sensors.yml) and has the address of the inventory.",
    ),
    "log-alone": (
        "The walk and Azure say that the sensor gets through, and its first hop has not seen it.",
        "Look for another way out of the sensor's network, which nobody wants there; then compare its address with the inventory.",
    ),
    "cloud-alone": (
        "The walk and the first hop's log say that the sensor gets through, and Azure does not hear it.",
        "Look at the sensor's page in the portal: activation, certificate, clock; its console says what the cloud answered.",
    ),
    "not verified": (
        "Nothing is known of these paths, good or bad: the host of the first hop was not asked, or did not answer.",
        "See that Ansible reaches this host (ansible HOST -m ansible.builtin.ping), and verify again without --limit.",
    ),
}
"""For each stage what its failure means and what to do first; for what has none, by its title."""
