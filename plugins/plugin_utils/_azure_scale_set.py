# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The scale set as one literal resource of a deployment, since the module for it lacks half of what is wanted.

Private to this collection. Its properties: Azure's reference of Microsoft.Compute/virtualMachineScaleSets 2024-07-01.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]


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
