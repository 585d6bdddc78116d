"""The table of attacks in docs/squid-facts.md: a test that saw an attack fail says so here, and it must be what is written there."""

from __future__ import annotations

import os
from pathlib import Path

FACTS = Path(__file__).parents[2] / "docs" / "squid-facts.md"
HEAD = ("| Attack | Answer | Where it is decided | Where it is logged |", "|---|---|---|---|")


def answered(attack: str, answer: str, decided: str, logged: str = "nowhere") -> None:
    """Compare a row with the documentation's; UPDATE_DOCS=1 writes it."""
    row = f"| {attack} | {answer} | {decided} | {logged} |"
    text = FACTS.read_text()
    written = text.partition("\n".join(HEAD) + "\n")[2].partition("\n\n")[0].splitlines()
    if row in written:
        return
    assert os.environ.get("UPDATE_DOCS"), f"docs/squid-facts.md does not say: {row}"
    others = [other for other in written if not other.startswith(f"| {attack} |")]
    FACTS.write_text(text.replace("\n".join(written), "\n".join([*others, row])))
