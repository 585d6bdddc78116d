# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Learns a console profile from a recording in which a person signed in, entered proxy settings and saved them.

Private to this collection. Things are recognised by the values that the person typed. No route, field name or scheme of a
real console is known here. What a save carries beside the proxy settings becomes the value that each sensor itself shows;
what cannot be traced to that is listed for a person to confirm, and is not sent before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..http import profile as http_profile
from ..http.profile import ProfileError
from ..http.tree import MISSING
from .entries import HarError, entries
from .find import Finder
from .match import Counterpart
from .tokens import Tokens
from .typed import Typed
from .write import Writer


@dataclass(frozen=True)
class Learned:
    """What a recording taught."""

    profile: dict[str, Any]
    notes: list[str]
    """Sentences for the person who reviews the profile."""


def learn(har: object, typed: Typed) -> Learned:
    """Return the profile of the recorded console.

    Args:
        har: the parsed HAR file.
        typed: what the person typed.

    Raises:
        HarError: something needed is not in the recording, or cannot be told apart; says how to record.
    """
    for name in ("console_username", "console_password", "host"):
        if not getattr(typed, name):
            raise HarError(f"{name} is empty; give what was typed in the recording")
    finder = Finder(entries(har), typed)
    save = finder.save()
    finder.entries = [entry for entry in finder.everything if entry.origin == save.origin]
    sign_in = finder.sign_in(save)
    inside = [entry for entry in finder.entries if entry.number > sign_in.number]
    read, tree, before = finder.read(inside, save)
    finder.read_page = read.page
    places = finder.fields(save, before)
    shown = finder.shown(tree, save, places, read.number > save.number)
    upload = finder.upload(inside, save)
    version = finder.version(inside, read, tree)
    cloud = finder.cloud(inside)
    replayed = [sign_in, read, save, *([upload] if upload else []), *([cloud] if cloud else [])]
    tokens = Tokens(finder.entries, replayed, sign_in)
    writer = Writer(
        typed,
        finder.notes,
        tree,
        Counterpart(tree, places["host"], shown["host"]),
        tokens,
        set(shown.values()),
        read.page,
        save.host,
    )
    before_sign_in = [entry for entry in finder.entries if entry.number < sign_in.number]
    prepare = tokens.preparation(before_sign_in, sign_in)
    after = tokens.lacking([*prepare, sign_in, read])

    sections: dict[str, Any] = {"format": http_profile.FORMAT}
    requests = [writer.save_request(save, places)]
    if upload is not None:
        requests.insert(0 if upload.number < save.number else 1, writer.upload_request(upload))
    steps: dict[str, Any] = {}
    if prepare:
        steps["prepare"] = [writer.request(entry) for entry in prepare]
    steps["request"] = writer.sign_in_request(sign_in)
    if 300 <= sign_in.status < 400:
        steps["status"] = sign_in.status
    if after:
        steps["after"] = [writer.request(entry) for entry in after]
    profile: dict[str, Any] = {
        "sign_in": steps,
        "read": {
            "request": writer.request(read),
            "format": "html" if read.answer is MISSING else "json",
            "fields": {name: writer.at(place) for name, place in shown.items()},
        },
        "save": {"requests": requests} | writer.unchanged(save, places, shown, inside),
    }
    if version:
        profile["version"] = version
    if cloud is None:
        finder.notes.append(
            "The recording holds no answer with the words of the connectivity screen, so the sensor's own word on its cloud "
            "connection is not read; record that screen too, or add cloud to the profile."
        )
    else:
        profile["cloud"] = {"request": writer.request(cloud)}
    if writer.constants:
        sections["constants"] = writer.constants
    if tokens.sources:
        sections["tokens"] = tokens.sources
    finder.notes.append("The recording holds passwords and session cookies; delete it.")
    try:
        result = http_profile.dump(http_profile.load(sections | profile))
    except ProfileError as error:
        raise HarError(f"the recording gave a profile that does not hold together: {error}") from None
    writer.assert_no_secret(result)
    return Learned(result, finder.notes)
