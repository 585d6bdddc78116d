# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands of the documentation, typed literally: those that need no host are executed, the others are read by Ansible."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from tests.unit.rendered import ROLE

from . import pages

ROOT = pages.ROOT
INSTALLED = ROLE.parents[4]
"""The collections path from which the tests take the collection."""

LISTED = pages.listed()
EXAMPLE_PASSWORD = "example-only-never-use-me"
EDITOR = """#!/bin/sh
for file; do test -f "$file" || exit 1; done
test -z "$EDIT" || sed -i "$EDIT" "$@"
"""


@dataclass
class Shell:
    """A terminal: where commands are typed, and what is typed when they ask."""

    folder: Path
    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    def type(self, command: str, answers: str = "") -> str:
        """Type a command; return what it prints, and fail when it fails."""
        if command.startswith("cd "):
            self.folder /= command.removeprefix("cd ")
            return ""
        done = self.try_to(command, answers)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def try_to(self, command: str, answers: str = "") -> subprocess.CompletedProcess[str]:
        """Type a command that may fail."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        path = f"{self.home}/bin:{Path(sys.executable).parent}:{ours['PATH']}"
        return subprocess.run(
            ["bash", "-euc", command],
            cwd=self.folder,
            env={
                **ours,
                "HOME": str(self.home),
                "PATH": path,
                "PWD": str(self.folder),
                "ANSIBLE_NOCOLOR": "1",
                **self.environment,
            },
            input=answers,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
            # Without a terminal, passwords are read from the input.
            start_new_session=True,
        )


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return _shell(tmp_path)


def _shell(folder: Path) -> Shell:
    home = folder / "home"
    (home / "bin").mkdir(parents=True)
    (home / "bin/editor").write_text(EDITOR)
    (home / "bin/editor").chmod(0o755)
    work = folder / "work"
    work.mkdir()
    return Shell(work, home)


@pytest.fixture(scope="module")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    Shell(ROOT, folder).type(f"ansible-galaxy collection build --output-path {folder}")
    (found,) = folder.glob("*.tar.gz")
    return found


def _commands(test: str, page: str) -> Iterator[str]:
    """Yield a page's commands that are executed by a test of this file, in the page's order."""
    for block in pages.blocks(ROOT / page):
        for line in block.lines:
            if LISTED.executor.get(line) == f"tests/unit/docs/test_run.py::{test}":
                yield line


def _outputs(page: str) -> Iterator[list[str]]:
    """Yield the blocks of a page that show what one sees."""
    return (
        block.lines for block in pages.blocks(ROOT / page) if block.may_be_commands and block.lines[0] in LISTED.outputs
    )


def _has_lines(output: str, lines: list[str]) -> None:
    seen = [line.strip() for line in output.splitlines()]
    assert [line for line in lines if line not in seen] == [], output


def test_the_quick_start(shell: Shell, tarball: Path) -> None:
    shutil.copy(tarball, shell.folder)
    (shell.home / "vault").write_text(EXAMPLE_PASSWORD)
    shown = {}
    for command in _commands("test_the_quick_start", "docs/tasks/quick-start.md"):
        if command.startswith("ansible-vault"):
            shell.environment["ANSIBLE_VAULT_PASSWORD_FILE"] = str(shell.home / "vault")
            shown["vault"] = shell.type(command, "secret")
            del shell.environment["ANSIBLE_VAULT_PASSWORD_FILE"]
        else:
            shown[command.split()[0]] = shell.type(command, f"{EXAMPLE_PASSWORD}\n")
    assert "was installed successfully" in shown["ansible-galaxy"]
    assert shown["vault"].startswith("vault_sensor_console_password: !vault |\n")
    explained = next(lines for lines in _outputs("docs/tasks/quick-start.md") if "may reach" in lines[0])
    _has_lines(shown["ansible-playbook"], explained)


def test_the_first_run_from_a_tarball(shell: Shell, tarball: Path) -> None:
    shutil.copy(tarball, shell.folder)
    for command in _commands("test_the_first_run_from_a_tarball", "docs/playbooks.md"):
        shell.type(command)
    assert (shell.folder / "mysite/hosts.yml").is_file()


def test_the_first_run_from_a_checkout(shell: Shell) -> None:
    shutil.copytree(ROOT / "inventories/example", shell.folder / "inventories/example")
    for command in _commands("test_the_first_run_from_a_checkout", "docs/playbooks.md"):
        shell.type(command)
    assert (shell.folder / "inventories/mysite/hosts.yml").is_file()


def test_a_plant_is_added(shell: Shell) -> None:
    _as_site(shell)
    shell.environment["EDIT"] = r"s/plant-a/plant-c/g; s/10\.10\./10.30./; s/172\.16\.0\./172.16.9./"
    output = ""
    for command in _commands("test_a_plant_is_added", "docs/tasks/add-a-plant.md"):
        output = shell.type(command)
    assert "plant-c-line1-sensor (10.30.0.1) may reach download.microsoft.com:443" in output


def test_explain_answers_as_its_page_says(shell: Shell) -> None:
    """With the inventory of the demo, as the page says."""
    _as_checkout(shell, (ROOT / "inventories/demo/hosts.yml").read_text())
    (command,) = _commands("test_explain_answers_as_its_page_says", "docs/explain.md")
    allowed, refused = _outputs("docs/explain.md")
    _has_lines(shell.type(command), allowed)
    _has_lines(shell.type(command.replace("hub.azure-devices.net", "www.example.com")), refused)


def test_a_copy_of_a_configuration_is_imported(shell: Shell) -> None:
    """On a controller alone, with the page's own example."""
    page = "docs/migration.md"
    _as_checkout(shell, "")
    (shell.folder / "squid.conf").write_text((ROOT / "tests/unit/data/squid_conf/vendor.conf").read_text())
    (command,) = _commands("test_a_copy_of_a_configuration_is_imported", page)
    shell.type(command)
    written = (shell.folder / "imported.yml").read_text().replace("# ", "")
    example = [lines for lines in _outputs(page) if lines[0] == "---" or lines[0].startswith("plant-a-proxy: ")]
    assert len(example) == 2
    _has_lines(written, [line.strip() for lines in example for line in lines])


def test_files_are_read_however_deep_they_are_included_and_the_log_names_the_sensors(shell: Shell) -> None:
    _as_checkout(
        shell,
        "all: {children: {proxies: {hosts: {site: {ansible_connection: local, ansible_host: 10.9.9.9, ansible_become: false,"
        " ansible_python_interpreter: '{{ ansible_playbook_python }}'}}}}}",
    )
    files = {
        "squid.conf": "include DIR/conf.d/*.conf\nhttp_access deny all\nhttp_port 3128\n",
        "conf.d/one.conf": "include DIR/two.conf\ninclude DIR/none/*.conf\n",
        "two.conf": "include DIR/three.conf\n",
        "three.conf": 'acl net src 10.0.0.0/8\nacl sites dstdomain "DIR/sites.txt"\nhttp_access allow net sites\n',
        "sites.txt": ".example.com\n",
        "access.log": "1764000000.123 200 10.0.0.7 TCP_TUNNEL/200 5000 CONNECT hub.example.com:443 - HIER_DIRECT/192.0.2.8 -\n",
    }
    for name, text in files.items():
        path = shell.folder / "etc" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("DIR", str(shell.folder / "etc")))
    where = shell.folder / "etc"
    output = shell.type(
        f"ansible-playbook -i inventories/mysite playbooks/import_squid.yml -e import_squid_path={where}/squid.conf "
        f"-e import_squid_log={where}/access.log -e import_squid_dest={shell.folder}/imported.yml"
    )
    children = yaml.safe_load((shell.folder / "imported.yml").read_text())["all"]["children"]
    assert children["proxies"]["hosts"]["site"]["squid_endpoints"] == ["*.example.com"], output
    assert children["sensors"]["children"]["site_sensors"]["hosts"] == {"net": {"sensor_proxy_src": "10.0.0.7"}}


def test_the_connections_page_shows_what_one_sees(shell: Shell) -> None:
    page = "docs/connectivity.md"
    _as_checkout(shell, next(block.text for block in pages.blocks(ROOT / page) if block.language == "yaml"))
    (command,) = _commands("test_the_connections_page_shows_what_one_sees", page)
    _has_lines(shell.type(command), [line for lines in _outputs(page) for line in lines])


def test_the_readmes_inventory_is_whole(shell: Shell) -> None:
    """What it calls complete has no mistake, and the derivation can be looked at."""
    _as_checkout(shell, _readmes_inventory())
    (command,) = _commands("test_the_readmes_inventory_is_whole", "docs/inventory.md")
    shell.environment["ANSIBLE_CALLBACK_RESULT_FORMAT"] = "json"
    graph = yaml.safe_load(shell.type(command).partition("=>")[2])["graph"]
    assert graph["mistakes"] == []
    assert graph["sensors"]["sensor1"]["path"] == ["plant-a-proxy", "dmz-proxy", "proxy.corp.example"]


INI = """
[proxies]
plant-a-proxy ansible_host=172.16.0.11 squid_addresses=10.10.0.250/24,10.50.0.21/24 squid_parents=dmz-proxy
dmz-proxy ansible_host=172.16.0.10 squid_addresses=10.50.0.10/24,198.51.100.210/24
[proxies:vars]
squid_probe_endpoints=download.microsoft.com
[sensors]
sensor1 ansible_host=10.10.0.1
sensor2 ansible_host=10.10.0.2
[sensors:vars]
sensor_proxy_via=plant-a-proxy
"""


def test_the_readmes_inventory_means_the_same_as_ini(shell: Shell) -> None:
    _as_checkout(shell, _readmes_inventory())
    parents = json.dumps([{"host": "proxy.corp.example", "port": 8080}])
    (shell.folder / "hosts.ini").write_text(INI.replace("210/24", f"210/24 squid_parents='{parents}'"))
    shell.environment["ANSIBLE_CALLBACK_RESULT_FORMAT"] = "json"
    graphs = [
        yaml.safe_load(
            shell.type(
                f"ansible -i {inventory} 'proxies[0]' -m ot_security.proxy_chaining.topology -a whole=true"
            ).partition("=>")[2]
        )["graph"]
        for inventory in ("inventories/mysite", "hosts.ini")
    ]
    assert graphs[0] == graphs[1]
    assert graphs[0]["sensors"].keys() == {"sensor1", "sensor2"}


def test_other_names_of_the_groups(shell: Shell) -> None:
    """The options of the command, with a playbook that connects to no host."""
    renamed = _readmes_inventory().replace("proxies:", "squids:").replace("sensors:", "ot_sensors:")
    _as_checkout(shell, renamed)
    (command,) = _commands("test_other_names_of_the_groups", "docs/inventory.md")
    asked = f"{command.replace('site.yml', 'explain.yml')} -e explain_sensor=sensor1 -e explain_endpoint=download.microsoft.com"
    assert "sensor1 (10.10.0.1) may reach download.microsoft.com:443" in shell.type(asked)


@pytest.mark.parametrize("password", ["", "another"])
@pytest.mark.parametrize(
    ("command", "variable"),
    [
        ("playbooks/site.yml", "plant-a-dmz-proxy: squid_parents"),
        # Here nothing else is vaulted, and each of three sensors has it.
        (
            "playbooks/sensors.yml -e '{\"squid_parents\": []}'",
            "plant-a-line1-sensor and 2 more: sensor_proxy_console_password",
        ),
    ],
)
def test_a_missing_vault_password_is_one_sentence(command: str, variable: str, password: str, shell: Shell) -> None:
    _as_site(shell)
    del shell.environment["ANSIBLE_VAULT_PASSWORD_FILE"]
    shell.environment["ANSIBLE_CALLBACK_RESULT_FORMAT"] = "json"
    (shell.home / "vault").write_text(password)
    done = shell.try_to(
        f"ansible-playbook -i inventories/plant_a {command}{f' --vault-password-file {shell.home}/vault' if password else ''}"
    )
    (said,) = re.findall("^fatal: .*=> (.*)$", done.stdout, re.MULTILINE)
    assert yaml.safe_load(said)["msg"][1:] == [
        f"{variable} is vaulted, and the vault password is missing or another one; add --ask-vault-pass, or --vault-password-file."
    ]


def _to_read() -> list[str]:
    """Return the commands that are not executed here; of those that differ only in how it is run, the one with most options."""
    found: dict[str, str] = {}
    for command, executor in LISTED.executor.items():
        if command.startswith("ansible-playbook ") and "test_run.py" not in executor:
            same = re.sub(r" --(ask-\w+-pass|check|diff)\b", "", command)
            found[same] = max(found.get(same, ""), command, key=len)
    return sorted(found.values())


READ = _to_read()


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> dict[str, subprocess.CompletedProcess[str]]:
    """What Ansible says to each command when it shall only list the hosts."""
    shell = _shell(tmp_path_factory.mktemp("read"))
    _as_site(shell)
    hosts = shell.folder / "inventories/plant_a/hosts.yml"
    more = "plant-a-line3-sensor: {ansible_host: 10.10.0.4}\n        plant-a-line1-sensor:"
    hosts.write_text(hosts.read_text().replace("plant-a-line1-sensor:", more, 1))
    shutil.copytree(hosts.parent, shell.folder / "inventories/plant_c")
    plant_c = shell.folder / "inventories/plant_c/hosts.yml"
    plant_c.write_text(hosts.read_text().replace("plant-a", "plant-c"))
    site = _readmes_inventory().replace(
        "    sensors:\n", "    sensors:\n      children: {plant_c_sensors: {hosts: {sensor3: {}}}}\n"
    )
    for folder in ("inventories/mysite", "mysite"):
        (shell.folder / folder).mkdir()
        (shell.folder / folder / "hosts.yml").write_text(site)
    (shell.folder / "hosts.yml").write_text(site)
    (shell.folder / "mysite-awx.yml").write_text("{}")
    for played in re.findall(
        r"```yaml\n(- name: .*?)```", (ROOT / "docs/tasks/own-playbook.md").read_text(), re.DOTALL
    )[:1]:
        (shell.folder / "chain.yml").write_text(played)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        done = pool.map(lambda command: shell.try_to(f"{command} --list-hosts", f"{EXAMPLE_PASSWORD}\n" * 2), READ)
        return dict(zip(READ, done, strict=True))


@pytest.mark.parametrize("command", READ)
def test_ansible_reads_it(command: str, read: dict[str, subprocess.CompletedProcess[str]]) -> None:
    """Options, inventory, playbook, limit."""
    done = read[command]
    assert done.returncode == 0, done.stdout + done.stderr
    assert "hosts (" in done.stdout


def _as_site(shell: Shell) -> None:
    """Make it a site repository, with its password at hand and the collection that is tested."""
    shutil.copytree(ROOT / "examples/site-repo", shell.folder, dirs_exist_ok=True)
    (shell.home / "vault").write_text(EXAMPLE_PASSWORD)
    shell.environment["ANSIBLE_VAULT_PASSWORD_FILE"] = str(shell.home / "vault")
    shell.environment["ANSIBLE_COLLECTIONS_PATH"] = str(INSTALLED)
    for playbook in ROLE.parents[1].glob("playbooks/*.yml"):
        # The pages on clouds are read in a checkout, whose playbooks a site repository need not have.
        if not (shell.folder / "playbooks" / playbook.name).exists():
            shutil.copy(playbook, shell.folder / "playbooks")
    shutil.copytree(ROLE.parents[1] / "playbooks/plays", shell.folder / "playbooks/plays", dirs_exist_ok=True)


def _as_checkout(shell: Shell, inventory: str) -> None:
    shell.environment["ANSIBLE_COLLECTIONS_PATH"] = str(INSTALLED)
    shutil.copytree(ROLE.parents[1] / "playbooks", shell.folder / "playbooks")
    shutil.copy(ROOT / "ansible.cfg", shell.folder)
    (shell.folder / "inventories/mysite").mkdir(parents=True)
    (shell.folder / "inventories/mysite/hosts.yml").write_text(inventory)


def _readmes_inventory() -> str:
    return next(block.text for block in pages.blocks(ROOT / "README.md") if block.language == "yaml")
