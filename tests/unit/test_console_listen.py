"""Subscriptions to a console are told apart by who asked, not by what is called."""

from __future__ import annotations

import inspect

from amtui.console.session import Session


class View:
    """One view that looks at a console through two handles in turn."""

    def __init__(self) -> None:
        self.told = 0

    def changed(self) -> None:
        self.told += 1


def test_the_second_subscription_of_one_method_survives_the_end_of_the_first() -> None:
    session = Session.__new__(Session)
    session._listeners = {}
    session.changed = type("Event", (), {"set": lambda self: None})()
    view = View()
    first = session.listen(view.changed)
    second = session.listen(view.changed)
    first()
    session.tell()
    assert view.told == 1
    second()
    session.tell()
    assert view.told == 1
    assert inspect.isfunction(second)
