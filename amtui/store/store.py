"""The store as one object."""

from __future__ import annotations

from amtui.store.coordination import Coordination
from amtui.store.journal import Journal
from amtui.store.workers import Workers


class Store(Workers, Journal, Coordination):
    """Everything amtui remembers; see the bases for what each part keeps."""
