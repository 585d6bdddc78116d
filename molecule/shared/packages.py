"""A newer Squid in a host's own package source, as an upgrade brings it."""

from __future__ import annotations

import lab

NEWER = """set -e
rm -rf /srv/newer; mkdir -p /srv/newer; cd /srv/newer
dpkg-deb --raw-extract /var/cache/apt/archives/{package}_*.deb new
sed -i 's/^Version: .*/&+newer/' new/DEBIAN/control
{change}
dpkg-deb --build new squid.deb >/dev/null
{{ cat new/DEBIAN/control
   echo "Filename: ./squid.deb"
   echo "Size: $(stat -c %s squid.deb)"
   echo "SHA256: $(sha256sum squid.deb | cut -d' ' -f1)"; }} >Packages
echo 'deb [trusted=yes] file:/srv/newer ./' >/etc/apt/sources.list.d/newer.list
apt-get -qq update -o Dir::Etc::sourcelist=/etc/apt/sources.list.d/newer.list -o Dir::Etc::sourceparts=- -o APT::Get::List-Cleanup=0
"""
"""A newer Squid with this change of its unpacked package."""


FORMAT = "${db:Status-Abbrev} ${Package} ${Version}\\n"


def offer_newer(host: str, change: str = "") -> None:
    """Let a host find a newer Squid, with this change of its unpacked package (a shell script)."""
    lab.output(host, "sh", "-c", NEWER.format(change=change, package=_installed(host)[0]))


def version(host: str) -> str:
    """Return the version of the Squid that is installed."""
    return _installed(host)[1]


def _installed(host: str) -> tuple[str, str]:
    """Return the package with a host's squid.conf, and its version: one of two, and Debian 13's TLS is an addition to the other."""
    shown = lab.run(host, "dpkg-query", "--show", "--showformat", FORMAT, "squid", "squid-openssl").stdout
    _status, package, version = min(line.split() for line in shown.splitlines() if line.startswith("ii"))
    return package, version
