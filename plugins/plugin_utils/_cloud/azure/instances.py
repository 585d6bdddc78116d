# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the instances are made of: number, image, size and keys, as far as Azure would refuse them later.

Private to this collection.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

from .addresses import Mistake

_MARKETPLACE = ("publisher", "offer", "sku", "version")
_GALLERY = ("id", "sharedGalleryImageId", "communityGalleryImageId")
_VERSION = re.compile(r"/versions/([^/]+)$", re.IGNORECASE)
_ARM64 = re.compile(r"Standard_[A-Z]+\d+(-\d+)?[a-z]*p[a-z]*(_|$)")
"""A size whose additive features have a p: learn.microsoft.com "Azure virtual machine sizes naming conventions"."""
_UPGRADED = ("0001-com-ubuntu-server-jammy", "0001-com-ubuntu-server-focal", "ubuntuserver")
"""Canonical's offers that Azure upgrades by itself; of 24.04 the one for ARM64 only (its list of supported images, May 2026)."""

_SSH_KEY = re.compile(r"(ssh-(?:rsa|ed25519)) ([A-Za-z0-9+/]+=*)(?: .*)?")
_ED25519_BYTES = 32
_RSA_BITS = 2048
"""learn.microsoft.com "Create and use an SSH key pair for Linux VMs in Azure": 2048 bits at least."""


def check(settings: Mapping[str, Any], mistake: Mistake) -> None:
    """Note what is wrong with the instances."""
    for key in settings["ssh_public_keys"]:
        problem = _key_problem(str(key).strip())
        if problem:
            mistake("ssh_public_keys", str(key)[:20] + "...", problem)
    if not 1 <= settings["capacity"] <= 100:
        mistake("capacity", settings["capacity"], "is not a number of instances from 1 to 100")
    known = (*_MARKETPLACE, *_GALLERY)
    for key in settings["image"].keys() - known:
        mistake("image", key, f"is no key of an image; known are {', '.join(known)}")
    image = {key: str(value) for key, value in settings["image"].items()}
    gallery = next((image[key] for key in _GALLERY if image.get(key)), "")
    if settings["automatic_os_upgrade"]:
        problem = _gallery_problem(gallery) if gallery else _upgrade_problem(image)
        if problem:
            mistake("image", gallery or ":".join(filter(None, map(image.get, _MARKETPLACE))), problem)
    if not gallery:
        _check_processor(settings["vm_size"], image, mistake)


def _key_problem(text: str) -> str:
    match = _SSH_KEY.fullmatch(text)
    if match is None:
        return "is not a public key of the type RSA or ED25519"
    parts = _parts(match[2])
    if not parts or parts[0] != match[1].encode() or len(parts) != (3 if match[1] == "ssh-rsa" else 2):
        return "is not a whole public key; copy it again from its file, whose name ends with .pub"
    if match[1] == "ssh-ed25519" and len(parts[1]) != _ED25519_BYTES:
        return "is not a whole public key; copy it again from its file, whose name ends with .pub"
    bits = int.from_bytes(parts[-1], "big").bit_length()
    if match[1] == "ssh-rsa" and bits < _RSA_BITS:
        return f"is an RSA key of {bits} bits, and Azure takes {_RSA_BITS} at least"
    return ""


def _parts(text: str) -> list[bytes]:
    """Return the fields of a key (RFC 4253, section 6.6), none if it is cut off."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        return []
    found = []
    while data:
        length = int.from_bytes(data[:4], "big")
        part, data = data[4 : 4 + length], data[4 + length :]
        if len(part) != length or not length:
            return []
        found.append(part)
    return found


def _gallery_problem(image: str) -> str:
    """Azure upgrades from a gallery to what is latest there, and from nothing that is not in one."""
    # /sharedGalleries/ and /communityGalleries/ too.
    if "galleries/" not in image.lower():
        return "is not in a gallery, and automatic_os_upgrade needs an image of a gallery or of the marketplace"
    version = _VERSION.search(image)
    if version and version[1].lower() != "latest":
        return "is a fixed version, and automatic_os_upgrade needs the image's id without /versions/..."
    return ""


def _upgrade_problem(image: Mapping[str, str]) -> str:
    if image.get("version") != "latest":
        return "is a fixed version, and automatic_os_upgrade needs 'latest'"
    canonical = image.get("publisher", "").lower() == "canonical"
    if canonical and image.get("offer", "").lower() not in _UPGRADED and not _is_arm64(image):
        return (
            "is an image that Azure does not upgrade by itself (as of May 2026); use the offer 0001-com-ubuntu-server-jammy, or set "
            "azure_proxy_automatic_os_upgrade to false"
        )
    return ""


def _is_arm64(image: Mapping[str, str]) -> bool:
    return "arm64" in f"{image.get('offer', '')} {image.get('sku', '')}".lower()


def _check_processor(size: str, image: Mapping[str, str], mistake: Mistake) -> None:
    arm64 = _ARM64.match(size) is not None
    if arm64 == _is_arm64(image):
        return
    has, needs = ("ARM64", "x64") if arm64 else ("x64", "ARM64")
    named = f"{image.get('offer')}:{image.get('sku')}"
    problem = (
        f"is a size of {has}, and the image {named} is for {needs}; change azure_proxy_vm_size or azure_proxy_image"
    )
    mistake("vm_size", size, problem)
