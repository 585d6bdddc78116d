# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each option of the module sensor_proxy is what the role's variable of that meaning says, and no other."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.ot_security.proxy_chaining.plugins.modules import sensor_proxy
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._roles import arguments
from jinja2 import StrictUndefined
from jinja2.nativetypes import NativeEnvironment

from tests.unit.rendered import ROLE

ROLES = ROLE.parent
OMIT = "what is left out"
SECRETS = {"console_password", "password", "previous_password"}
OF_THE_CONSOLE = {"validate_certs", "ca_path", "fingerprint", "timeout"}
OPTIONS = sorted(sensor_proxy.ARGUMENTS)
(TASK,) = yaml.safe_load((ROLES / "sensor_proxy/tasks/push.yml").read_text(encoding="utf-8"))


def pushed(option: str, **given: Any) -> Any:
    """Return what the module is given where the role's variables have these values, and the others their names."""
    known = {name.removeprefix("sensor_proxy_"): name for name in arguments.options("sensor_proxy")}
    environment = NativeEnvironment(undefined=StrictUndefined)
    environment.filters |= {"from_yaml": yaml.safe_load}
    environment.filters["default"] = lambda value, other, _empty: value or other
    environment.globals["lookup"] = lambda _plugin, path: f"read: {path}"
    secrets = {f"sensor_proxy_{name}": f"sensor_proxy_{name}" for name in SECRETS}
    expression = TASK["ot_security.proxy_chaining.sensor_proxy"].get(option, OMIT)
    return environment.from_string(expression).render({"__sensor_proxy": known | given, "omit": OMIT, **secrets})


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_is_the_variable_of_its_meaning(option: str) -> None:
    variable = f"console_{option}" if option in OF_THE_CONSOLE else option
    state = {"state": "present", "transport": "http"}
    expected: Any = state.get(option, f"sensor_proxy_{variable}")
    if option == "profile":
        expected = {"read": "sensor_proxy_profile"}
    assert pushed(option, **state) == expected


@pytest.mark.parametrize("option", ["host", "port"])
def test_where_the_proxy_is_switched_off_none_is_named(option: str) -> None:
    assert pushed(option, state="absent") == OMIT
