#!/usr/bin/python
# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: proxy_path_info
short_description: Walk the path through a chain of proxies to endpoints
version_added: 0.1.0
author:
  - ot_security contributors (@ot-security)
description:
  - Goes the way of a sensor's traffic from the host on which it runs. It opens TCP to the first hop, asks it by CONNECT for each
    endpoint, and does TLS with the endpoint through the tunnel, with its certificate checked.
  - For each endpoint it returns where that ends, in which stage and at which hop. A broken path is a result, not a failure of
    the module.
  - Nothing is sent to an endpoint but the TLS handshake.
requirements:
  - Python 3.10 or later on the host on which it runs, and nothing more
options:
  endpoints:
    description:
      - The endpoints, each as C(host) or C(host:port). The port is 443 where none is given.
    type: list
    elements: str
    required: true
  hops:
    description:
      - The proxies in their order. The first is connected to; the others say who is who in what comes back.
      - Without hops the endpoints are asked directly, as the last proxy of a chain does.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: What the proxy is called in the result.
        type: str
        required: true
      address:
        description: Its address or host name.
        type: str
        required: true
      port:
        description: Its port.
        type: int
        required: true
      hostname:
        description:
          - Its C(visible_hostname), by which its own answers are told from those that it passes on. By default O(hops[].name).
        type: str
      tls:
        description: Whether it is spoken to by TLS.
        type: bool
        default: false
      tls_ca:
        description: A file of CA certificates, on the host, that sign its certificate. By default the system's.
        type: path
      tls_name:
        description: The name that its certificate must carry. By default O(hops[].address).
        type: str
      username:
        description: The user to sign in as, by Basic authentication.
        type: str
      password:
        description: The password of O(hops[].username).
        type: str
  own_config:
    description:
      - The C(squid.conf) of a proxy that runs on this host and was configured by P(ot_security.proxy_chaining.squid#role).
      - That proxy is then the first hop, asked as its configuration lets this host ask it. O(hops) begins with it; the address and
        port given there are not used.
    type: path
  ca_path:
    description: A file of CA certificates, on the host, that sign the endpoints'. By default the system's.
    type: path
  authorities:
    description:
      - The organizations (or common names, where there is no organization) that may issue the endpoints' certificates.
      - A certificate by another is a sign of TLS inspection even when this host trusts it. Empty for any that is trusted.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds for each stage.
    type: float
    default: 5.0
  parallel:
    description: How many endpoints are asked at once.
    type: int
    default: 8
extends_documentation_fragment:
  - ot_security.proxy_chaining.read_only
seealso:
  - module: ot_security.proxy_chaining.proxy_client_info
"""

EXAMPLES = r"""
- name: Walk from a site proxy through its parent
  ot_security.proxy_chaining.proxy_path_info:
    endpoints: [hub.azure-devices.net, download.microsoft.com]
    hops:
      - name: dmz-proxy
        address: 10.50.0.10
        port: 3128

- name: Walk through the proxy of this very host, and all behind it
  ot_security.proxy_chaining.proxy_path_info:
    endpoints: [hub.azure-devices.net]
    own_config: /etc/squid/squid.conf
    hops:
      - {name: plant-a-proxy, address: 127.0.0.1, port: 3128}
      - {name: dmz-proxy, address: 10.50.0.10, port: 3128}
  become: true
"""

RETURN = r"""
endpoints:
  description: What became of each endpoint, in the order given.
  returned: success
  type: list
  elements: dict
  contains:
    endpoint:
      description: The host name.
      type: str
    port:
      description: The port.
      type: int
    verdict:
      description: V(ok) or V(broken).
      type: str
    stage:
      description:
        - Where it ended, V(null) when it did not. One of V(resolve), V(tcp), V(proxy-auth), V(proxy-denied),
          V(parent-unreachable), V(endpoint-unreachable), V(tls-untrusted), V(tls-inspected) and V(timeout).
      type: str
    hop:
      description: The name of the hop at which it ended; empty for the endpoint itself, V(null) when it did not end.
      type: str
    reason:
      description: A sentence about it, with the status and the error page that the proxy sent.
      type: str
    times:
      description:
        - Seconds of each stage that was reached, RV(ignore:resolve), RV(ignore:tcp), RV(ignore:proxy_tls), RV(ignore:connect)
          and RV(ignore:tls).
      type: dict
    certificate:
      description: The certificate that was shown for the endpoint, trusted or not.
      type: dict
      contains:
        issuer:
          description: Its issuer's whole name.
          type: str
        authority:
          description: Its issuer's organization, or common name where there is no organization.
          type: str
        subject:
          description: Its own name.
          type: str
        not_after:
          description: When it ends, in UTC.
          type: str
  sample:
    - endpoint: hub.azure-devices.net
      port: 443
      verdict: broken
      stage: proxy-denied
      hop: dmz-proxy
      reason: dmz-proxy refuses CONNECT to hub.azure-devices.net:443 (403, ERR_ACCESS_DENIED).
      times: {resolve: 0.0001, tcp: 0.0004, connect: 0.0031}
      certificate:
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._probe import walk_all
from ..module_utils._squid.hops import HOP, hops_of


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "endpoints": {"type": "list", "elements": "str", "required": True},
            "hops": {"type": "list", "elements": "dict", "default": [], "options": HOP},
            "own_config": {"type": "path"},
            "ca_path": {"type": "path"},
            "authorities": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "float", "default": 5.0},
            "parallel": {"type": "int", "default": 8},
        },
        supports_check_mode=True,
    )
    given = module.params
    try:
        probes = walk_all.walk_all(
            hops_of(given["hops"], given["own_config"]),
            [walk_all.split(endpoint) for endpoint in given["endpoints"]],
            ca_path=given["ca_path"] or "",
            authorities=given["authorities"],
            timeout=given["timeout"],
            parallel=given["parallel"],
        )
    except ValueError as error:
        module.fail_json(msg=f"{error}.")
    module.exit_json(changed=False, endpoints=[probe.as_result() for probe in probes])


if __name__ == "__main__":
    main()
