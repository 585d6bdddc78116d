# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signatures of the report, made and checked by OpenSSH's ``ssh-keygen``. Private to this collection."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from .results import clean

NAMESPACE = "chain-report"
"""What the signatures are for; one made for something else is none of a report."""

_PATIENCE = 60.0
"""Seconds that ssh-keygen may take, with a key in an agent or on a token."""


def signature(content: bytes, key: str) -> bytes:
    """Return the signature of a file.

    Args:
        content: of the file.
        key: path of a private key, or of a public one whose private key the agent has.

    Raises:
        ValueError: it cannot be signed; the text says why.
    """
    path = Path(key).expanduser()
    try:
        done = subprocess.run(  # noqa: S603 -- a path is all that is chosen
            ["ssh-keygen", "-Y", "sign", "-q", "-n", NAMESPACE, "-f", str(path)],  # noqa: S607 -- wherever it is
            input=content,
            # Nobody is there to answer for a passphrase.
            env={**os.environ, "SSH_ASKPASS_REQUIRE": "never", "LC_ALL": "C"},
            start_new_session=True,
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )
        problem = "" if done.returncode == 0 else done.stderr.decode(errors="replace").strip() or "no reason was given"
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        problem = str(error)
    if problem:
        raise ValueError(
            f"The report cannot be signed with {clean(key)} ({clean(problem)[:200]}); set chain_verify_signing_key to a private "
            "key of OpenSSH without a passphrase, or to a public key whose private key the agent has."
        )
    return done.stdout
