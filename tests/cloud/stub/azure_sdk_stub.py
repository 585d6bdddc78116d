"""FOR TESTS ONLY: lets azure.azcollection's common file import SDKs that are not installed.

That file imports about 45 of them (1.5 GB) before any module runs, of which ours need a dozen. Whoever uses the role
installs the real ones (requirements-cloud.txt). tools/cloud puts a .pth file into its virtual environment that loads this.
A real SDK always wins; a name out of a missing one can be imported and not used.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType

MISSING = (
    "azure.mgmt.authorization",
    "azure.mgmt.automation",
    "azure.mgmt.batch",
    "azure.mgmt.cdn",
    "azure.mgmt.cognitiveservices",
    "azure.mgmt.containerinstance",
    "azure.mgmt.containerregistry",
    "azure.mgmt.containerservice",
    "azure.mgmt.databricks",
    "azure.mgmt.datafactory",
    "azure.mgmt.dns",
    "azure.mgmt.eventhub",
    "azure.mgmt.hybridcompute",
    "azure.mgmt.iothub",
    "azure.mgmt.managementgroups",
    "azure.mgmt.marketplaceordering",
    "azure.mgmt.mysqlflexibleservers",
    "azure.mgmt.notificationhubs",
    "azure.mgmt.postgresqlflexibleservers",
    "azure.mgmt.privatedns",
    "azure.mgmt.rdbms",
    "azure.mgmt.recoveryservicesbackup",
    "azure.mgmt.resourcehealth",
    "azure.mgmt.search",
    "azure.mgmt.servicebus",
    "azure.mgmt.sql",
    "azure.mgmt.trafficmanager",
    "azure.mgmt.web",
    "azure.storage",
    "kiota_authentication_azure",
    "msgraph",
    "msgraph_core",
)


class Unusable:
    """What every name out of a missing SDK is. It can be made, since azure_rm_storageaccount makes a client of blobs and
    ignores that it fails when it is used.
    """

    def __init__(self, *_args: object, **_options: object) -> None:
        pass

    def __getattr__(self, name: str) -> object:
        raise RuntimeError(f"{type(self).__name__}.{name}: not installed in this test environment, see {__file__}")


class _Module(ModuleType):
    def __getattr__(self, name: str) -> type[Unusable]:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (Unusable,), {})


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Take the missing ones and what is below them."""
        if fullname not in MISSING and not fullname.startswith(tuple(f"{name}." for name in MISSING)):
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """Make a module that has every name."""
        return _Module(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """There is nothing to run."""


# Last, so that an SDK that is installed is found first.
sys.meta_path.append(_Finder())
