#!/usr/bin/python
# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aws_tunnel_key
short_description: Give one tunnel of a VPN connection in AWS a new key
version_added: 0.1.0
author:
  - ot_security contributors (@ot-security)
description:
  - Makes a random key, which replaces the tunnel's, and waits until AWS has it. The connection's other tunnel is left alone.
  - No key is returned; M(amazon.aws.ec2_vpc_vpn_info) reads it. No module of amazon.aws changes the key of a tunnel that is there.
  - It signs in with what the environment holds, such as C(AWS_ACCESS_KEY_ID) and C(AWS_SECRET_ACCESS_KEY), or C(AWS_PROFILE).
options:
  region:
    description: The region of the connection.
    type: str
    required: true
  vpn_connection_id:
    description: The connection.
    type: str
    required: true
  outside_ip_address:
    description: AWS's address of the tunnel.
    type: str
    required: true
attributes:
  check_mode:
    description: It says that the key would change.
    support: full
  diff_mode:
    description: Keys are not shown.
    support: none
  idempotency:
    description: Each run makes a new key.
    support: none
  platform:
    description: The systems that it runs on; the controller, as a rule.
    support: full
    platforms: posix
requirements:
  - boto3
"""

EXAMPLES = r"""
- name: Give a tunnel a new key
  ot_security.proxy_chaining.aws_tunnel_key:
    region: eu-central-1
    vpn_connection_id: vpn-0123456789abcdef0
    outside_ip_address: 198.51.100.1
"""

RETURN = r"""
"""

import secrets
import string

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

try:
    import boto3  # type: ignore[import-not-found]
    from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-not-found]
except ImportError:
    boto3 = None

_LETTERS = string.ascii_letters + string.digits


def new_key() -> str:
    """Return a key of AWS's own form: 8 to 64 letters, digits, '.' and '_', no zero first (EC2 API, preSharedKey)."""
    return secrets.choice(string.ascii_letters) + "".join(secrets.choice(_LETTERS) for _place in range(31))


def main() -> None:
    """Run the module."""
    names = ("region", "vpn_connection_id", "outside_ip_address")
    module = AnsibleModule(
        argument_spec={name: {"type": "str", "required": True} for name in names}, supports_check_mode=True
    )
    if boto3 is None:
        module.fail_json(msg=missing_required_lib("boto3"))
    connection = module.params["vpn_connection_id"]
    if not module.check_mode:
        try:
            ec2 = boto3.client("ec2", region_name=module.params["region"])
            ec2.modify_vpn_tunnel_options(
                VpnConnectionId=connection,
                VpnTunnelOutsideIpAddress=module.params["outside_ip_address"],
                TunnelOptions={"PreSharedKey": new_key()},
            )
            # For some minutes its state is modifying, and AWS modifies no other tunnel.
            ec2.get_waiter("vpn_connection_available").wait(
                VpnConnectionIds=[connection], WaiterConfig={"Delay": 15, "MaxAttempts": 120}
            )
        except (BotoCoreError, ClientError) as error:
            module.fail_json(msg=f"The key of {module.params['outside_ip_address']} was not changed: {error}")
    module.exit_json(changed=True)


if __name__ == "__main__":
    main()
