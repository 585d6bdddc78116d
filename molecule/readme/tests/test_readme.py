"""A new user's first run: README's inventory and README's commands, as they are printed, on a controller that has nothing but Ansible."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import lab
import pytest
from markdown_it import MarkdownIt

CHECKOUT = Path(__file__).parents[3]
CONTROLLER, SENSOR = "ot-readme-controller", "ot-readme-sensor1"
PROXIES = ("ot-readme-plant-a-proxy", "ot-readme-dmz-proxy")
BLOCKS = [
    (token.info.strip(), token.content)
    for token in MarkdownIt("commonmark").parse((CHECKOUT / "README.md").read_text(encoding="utf-8"))
    if token.type in ("fence", "code_block")
]
(INVENTORY,) = (text for language, text in BLOCKS if language == "yaml")
INSTALL, RUN = next(text for _language, text in BLOCKS if "ansible-galaxy" in text).splitlines()


def typed(command: str, code: int = 0) -> str:
    """Type a command as the engineer, and her password where it is asked for; return what she sees."""
    engineer = ("-u", "engineer", "-w", "/home/engineer", "-e", "HOME=/home/engineer")
    done = subprocess.run(
        ["docker", "exec", "-i", *engineer, CONTROLLER, "bash", "-euc", command],
        input="lab-sudo-secret\n",
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module", autouse=True)
def _files() -> None:
    """What README says is at hand: the inventory, and the tarball."""
    subprocess.run(
        ["ansible-galaxy", "collection", "build", "--force", "--output-path", CHECKOUT / ".cache"],
        cwd=CHECKOUT,
        check=True,
    )
    tarball = INSTALL.split()[-1]
    with (CHECKOUT / ".cache" / tarball).open("rb") as content:
        write = ["docker", "exec", "-i", "-u", "engineer", CONTROLLER, "sh", "-c", f"cat >/home/engineer/{tarball}"]
        subprocess.run(write, stdin=content, check=True)
    assert lab.run(CONTROLLER, "sh", "-c", "cat >/home/engineer/hosts.yml", stdin=INVENTORY).returncode == 0


def test_the_first_run() -> None:
    assert "was installed successfully" in typed(INSTALL)

    dry = typed(f"{RUN} --check --diff")
    assert "+http_access deny all" in dry
    for proxy in PROXIES:
        assert lab.run(proxy, "sh", "-c", "command -v squid").returncode != 0, "check mode installs nothing"
    assert lab.run(CONTROLLER, "test", "-e", "/home/engineer/handoff").returncode != 0

    first = typed(RUN)
    said = " ".join(first.split())
    assert "Left to a person, since nobody signs in at their consoles: sensor1, sensor2." in said
    assert re.search("sensor1 +plant-a-proxy > dmz-proxy > proxy.corp.example > endpoints +degraded ", first), (
        "nobody has connected yet"
    )
    assert "was restarted" not in first
    assert "ASYNC" in first, "a sign of life while packages are installed"
    page = lab.output(CONTROLLER, "cat", "/home/engineer/handoff/sensor1.md")
    assert "| Proxy Host | `10.10.0.250` |" in page
    assert lab.output(CONTROLLER, "ls", "-A", "/home/engineer/chain-report").split()


def test_what_was_entered_by_hand_works() -> None:
    seen = lab.visit(SENSOR, "http://10.10.0.250:3128", "download.microsoft.com")
    assert (seen.connect, seen.body) == (200, "endpoint download.microsoft.com")


def test_a_second_run_changes_nothing_and_says_little() -> None:
    output = typed(RUN)
    assert set(re.findall(r"changed=(\d+)", output)) == {"0"}, output
    # 334 lines with 92 headings before; what is here has two proxies, two sensors, and no setting that hides anything.
    assert len(output.splitlines()) < 235
    assert len(re.findall("^(?:PLAY|TASK|RUNNING)", output, re.MULTILINE)) < 60


@pytest.mark.parametrize(
    ("tag", "does", "leaves"),
    [("proxies", "proves", "instructions"), ("sensors", "instructions", "proves"), ("verify", "Walk", "instructions")],
)
def test_a_part_of_it(tag: str, does: str, leaves: str) -> None:
    words = {
        "proves": "Change the configuration and prove it",
        "instructions": "Write the instructions",
        "Walk": "Walk through",
    }
    output = typed(f"{RUN} --tags {tag}")
    assert words[does] in output
    assert words[leaves] not in output
    assert words["Walk"] in output, "no tag leaves a path unproven"


def test_all_that_is_missing_is_one_list() -> None:
    """With a console's password a browser is needed, and is not there."""
    output = typed(f"SENSOR_CONSOLE_PASSWORD=x {RUN} -e squid_firewall=ufw", code=2)
    (said,) = re.findall("^fatal: .*", output, re.MULTILINE)
    for lacks in (
        "playwright, needed by sensor1, sensor2",
        "Chromium, needed by sensor1",
        "community.general, needed by plant-a-proxy, dmz-proxy",
    ):
        assert lacks in said
