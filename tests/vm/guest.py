"""An emulated machine: its power, and SSH into it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

IMAGES = Path(os.environ.get("VM", ""))
BOOT = 400
"""Seconds that a boot may take; without hardware support an idle machine here took 40 to 60."""


def free_port() -> int:
    """Return a port of this machine that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Guest:
    """The only guest; its network is the emulator's own and leads nowhere but to this SSH."""

    def __init__(self, folder: Path) -> None:
        """Give it a disk of its own."""
        self.folder = folder
        self.port = free_port()
        self._machine: subprocess.Popen[bytes] | None = None
        shutil.copy(IMAGES / "disk", folder / "disk")

    def power_on(self) -> float:
        """Boot, and return the seconds until it could be signed in."""
        begun = time.monotonic()
        command = [
            "qemu-system-x86_64",
            "-accel",
            os.environ.get("VM_ACCEL", "tcg"),
            "-cpu",
            "max,la57=off",
            "-smp",
            "2",
            "-m",
            "1024",
        ]
        # What the guest has flushed is on the disk; what only the emulator's host would lose is not lost here.
        disk = f"file={self.folder}/disk,format=raw,if=virtio,cache=writethrough"
        network = f"user,model=virtio-net-pci,restrict=on,hostfwd=tcp:127.0.0.1:{self.port}-:22"
        kernel = ["-kernel", f"{IMAGES}/kernel", "-initrd", f"{IMAGES}/initrd"]
        boot = [*kernel, "-append", "root=/dev/vda rw console=ttyS0 quiet mitigations=off"]
        console = ["-nodefaults", "-display", "none", "-serial", f"file:{self.folder}/console"]
        self._machine = subprocess.Popen([*command, "-drive", disk, "-nic", network, *boot, *console])
        self.wait()
        return time.monotonic() - begun

    def wait(self, than: str = "") -> None:
        """Wait until it can be signed in, in another boot than this one."""
        end = time.monotonic() + BOOT
        while self.run("cat /proc/sys/kernel/random/boot_id", seconds=60).stdout in ("", than):
            assert time.monotonic() < end, (self.folder / "console").read_text(errors="replace")[-3000:]
            time.sleep(1)

    def reboot(self) -> None:
        """Boot anew, as an administrator does it."""
        boot = self.output("cat /proc/sys/kernel/random/boot_id")
        self.run("systemctl reboot")
        self.wait(boot)

    def cut_power(self) -> None:
        """End the emulator at once: what the guest's kernel had not written is lost."""
        if self._machine:
            self._machine.kill()
            self._machine.wait()

    def ssh(self, user: str) -> list[str]:
        """Return the options with which a user of the guest is signed in."""
        known = [
            "-o",
            "StrictHostKeyChecking=no",
            "-o",
            "UserKnownHostsFile=/dev/null",
            "-o",
            "LogLevel=ERROR",
            "-o",
            "ConnectTimeout=20",
        ]
        return ["-i", str(IMAGES / "key"), "-p", str(self.port), "-l", user, *known]

    def run(self, command: str, stdin: str = "", seconds: int = 120) -> subprocess.CompletedProcess[str]:
        """Run a command as root."""
        line = ["ssh", *self.ssh("root"), "127.0.0.1", command]
        return subprocess.run(line, input=stdin, capture_output=True, text=True, timeout=seconds, check=False)

    def output(self, command: str, stdin: str = "", seconds: int = 120) -> str:
        """Run a command that must succeed as root, and return what it printed."""
        done = self.run(command, stdin, seconds)
        assert done.returncode == 0, f"{command}: {done.stderr or done.stdout}"
        return done.stdout
