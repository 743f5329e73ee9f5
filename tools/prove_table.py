"""Print the figures that `make prove` collected. Exit status 1 when one missed its target or there is none."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests import figures


def main() -> int:
    """One line a figure: verdict, name, target, value, conditions."""
    found = figures.recorded()
    if not found:
        print("no figures recorded")
        return 1
    rows = [("", "figure", "target", "value", "conditions")]
    for figure in found:
        verdict = "ok" if figure["ok"] else "MISSED"
        if figure["source"] != figures.source():
            verdict += ", stale"
        rows.append((verdict, *(str(figure[key]) for key in ("name", "target", "value", "conditions"))))
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    missed = sum(not figure["ok"] for figure in found)
    stale = sum(figure["source"] != figures.source() for figure in found)
    print(
        f"{len(found)} figures, {missed} missed" + (f", {stale} measured on another source" if stale else "")
    )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
