"""What amtui remembers between runs, in one SQLite database that several processes share.

`Store.open(path)` is the only way in. Every method is one transaction; a crash between two of them loses
neither.
"""

from __future__ import annotations

from amtui.store.coordination import Intent
from amtui.store.journal import MAX_EVENTS, Sample
from amtui.store.migrations import LATEST
from amtui.store.store import Store

__all__ = ["LATEST", "MAX_EVENTS", "Intent", "Sample", "Store"]
