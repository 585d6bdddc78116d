# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The scale set as one literal resource of a deployment, since the module for it lacks half of what is wanted, and its custom data.

Private to this collection. Its properties: Azure's reference of Microsoft.Compute/virtualMachineScaleSets 2024-07-01.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

import yaml

Json = dict[str, Any]

MOST_CUSTOM_DATA = 65535
"""Bytes that Azure takes."""

_UNPROVEN = "/etc/systemd/system/squid.service.d/unproven.conf"
"""Written before there is a package, and removed by start-proxy: until then nothing starts Squid, neither its installation nor a reboot.

Its default configuration would open the port, refuse everybody with 403, and be healthy for the load balancer.
"""


def custom_data(settings: Mapping[str, Any]) -> str:
    """Return what an instance does when it is made. YAML made from data cannot be wrong YAML, and has no order that matters."""

    def file(path: str, content: str, permissions: str, **more: str) -> Json:
        # Deferred: otherwise they are written before the package is there, whose own file would then take their place.
        return {"path": path, **more, "permissions": permissions, "defer": True, "content": content}

    whole = {
        "package_update": True,
        "package_upgrade": True,
        "package_reboot_if_required": True,
        "packages": [settings["package"]],
        "write_files": [
            file("/etc/squid/squid.conf", settings["configuration"], "0640", owner="root:proxy"),
            *({**one, "permissions": "0644", "defer": True} for one in settings["files"]),
            file("/usr/local/sbin/start-proxy", settings["start"], "0755"),
            {"path": _UNPROVEN, "permissions": "0644", "content": f"[Unit]\nConditionPathExists=!{_UNPROVEN}\n"},
        ],
        "runcmd": ["/usr/local/sbin/start-proxy"],
    }
    # Ansible's text knows where it comes from, which YAML cannot write.
    whole = json.loads(json.dumps(whole))
    return f"#cloud-config\n{yaml.safe_dump(whole, width=1000, sort_keys=False, allow_unicode=True)}"


def mark(scale_set: Json, data: str) -> str:
    """Return what changes when the scale set must, as its tag has it."""
    return hashlib.sha256((json.dumps(scale_set, sort_keys=True) + data).encode()).hexdigest()


def body(settings: Mapping[str, Any], ids: Mapping[str, str], location: str) -> Json:
    """Return the resource without its type, name and tags.

    Its one expression of Azure's is a parameter that keeps the custom data out of the deployment's history.
    """
    automatic = {"enableAutomaticOSUpgrade": bool(settings["automatic_os_upgrade"]), "disableAutomaticRollback": False}
    return {
        "location": location,
        "zones": [str(zone) for zone in settings["zones"]],
        "sku": {"name": settings["vm_size"], "tier": "Standard", "capacity": int(settings["capacity"])},
        "properties": {
            "orchestrationMode": "Uniform",
            "overprovision": bool(settings["overprovision"]),
            "singlePlacementGroup": False,
            # Azure spreads the instances as far as it can.
            "platformFaultDomainCount": 1,
            "upgradePolicy": {"mode": "Automatic", "automaticOSUpgradePolicy": automatic},
            # Without a securityProfile it is a standard one. Azure takes that word only where a feature is registered.
            "virtualMachineProfile": {
                "diagnosticsProfile": {"bootDiagnostics": {"enabled": False}},
                "osProfile": _system(settings),
                "storageProfile": {
                    "imageReference": dict(settings["image"]),
                    "osDisk": {
                        "createOption": "FromImage",
                        "caching": "ReadWrite",
                        "managedDisk": {"storageAccountType": "StandardSSD_LRS"},
                    },
                },
                "networkProfile": _network(settings, ids),
            },
        },
    }


def _system(settings: Mapping[str, Any]) -> Json:
    keys = f"/home/{settings['admin_username']}/.ssh/authorized_keys"
    return {
        "computerNamePrefix": re.sub(r"[^A-Za-z0-9]", "", settings["name"])[:9],
        "adminUsername": settings["admin_username"],
        "customData": "[parameters('customData')]",
        "linuxConfiguration": {
            "disablePasswordAuthentication": True,
            "provisionVMAgent": True,
            "ssh": {"publicKeys": [{"path": keys, "keyData": str(key).strip()} for key in settings["ssh_public_keys"]]},
        },
    }


def _network(settings: Mapping[str, Any], ids: Mapping[str, str]) -> Json:
    address = {
        "primary": True,
        "subnet": {"id": ids["proxy_subnet"]},
        "loadBalancerBackendAddressPools": [{"id": f"{ids['load_balancer']}/backendAddressPools/proxies"}],
    }
    interface: Json = {"primary": True, "ipConfigurations": [{"name": "ip", "properties": address}]}
    if settings["subnet_id"]:
        # A subnet of others keeps the security group that it has.
        interface["networkSecurityGroup"] = {"id": ids["security_group"]}
    return {
        "healthProbe": {"id": f"{ids['load_balancer']}/probes/squid"},
        "networkInterfaceConfigurations": [{"name": "nic", "properties": interface}],
    }
