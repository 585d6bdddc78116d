"""The programs that the role puts on a proxy, as modules; they are no part of the collection's packages."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

FILES = Path(__file__).parents[3] / "roles" / "squid" / "files"


def load(name: str) -> ModuleType:
    """Load a program of roles/squid/files without running it."""
    spec = importlib.util.spec_from_file_location(name, FILES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
