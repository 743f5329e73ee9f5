"""Intents, once-only requests and leases keep processes, and a crash's successor, out of each other's way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from amtui.errors import Refused
from amtui.store import Store
from amtui.store.coordination import ONCE_KEPT


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    opened = Store.open(tmp_path / "amtui.db", clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def other(store: Store, clock: Clock) -> Iterator[Store]:
    opened = Store.open(store.path, clock=clock)
    yield opened
    opened.close()


def test_an_intent_is_open_until_it_is_settled(store: Store, other: Store) -> None:
    first = store.open_intent("create", "k1", {"name": "é", "n": [1, None]})
    second = store.open_intent("destroy", "k2", {})
    found = other.open_intents()
    assert [(each.id, each.kind, each.key, each.payload) for each in found] == [
        (first, "create", "k1", {"name": "é", "n": [1, None]}),
        (second, "destroy", "k2", {}),
    ]
    assert found[0].opened_at == 1000.0
    other.close_intent(first, "done")
    other.close_intent(first, "failed")
    other.close_intent(999, "done")
    assert [each.id for each in store.open_intents()] == [second]
    assert store.query("SELECT outcome FROM intents WHERE id = ?", (first,)) == [("done",)]


def test_settled_intents_are_bounded_and_open_ones_are_not_lost(store: Store) -> None:
    keep = store.open_intent("create", "keep", {})
    with store.change() as db:
        db.executemany(
            "INSERT INTO intents (kind, key, payload, opened_at, closed_at) VALUES ('x', 'x', '{}', 1, 2)",
            [()] * 1500,
        )
    last = store.open_intent("create", "last", {})
    store.close_intent(last, "done")
    assert store.query("SELECT count(*) FROM intents") == [(1001,)]
    assert [each.id for each in store.open_intents()] == [keep]


def test_once(store: Store, other: Store) -> None:
    assert store.claim_once("k") is None
    for who in (store, other):
        with pytest.raises(Refused, match="unknown"):
            who.claim_once("k")
    store.finish_once("k", {"outcome": "submitted"})
    assert other.claim_once("k") == {"outcome": "submitted"}
    assert store.claim_once("other") is None
    with pytest.raises(TypeError):
        store.finish_once("other", None)


def test_a_claim_that_did_nothing_may_be_given_back(store: Store) -> None:
    assert store.claim_once("k") is None
    store.forget_once("k")
    assert store.claim_once("k") is None
    store.finish_once("k", "submitted")
    store.forget_once("k")  # too late: it happened
    assert store.claim_once("k") == "submitted"


def test_once_is_remembered_for_days_and_not_for_ever(store: Store, clock: Clock) -> None:
    store.claim_once("k")
    store.finish_once("k", 1)
    clock.now += ONCE_KEPT - 1
    assert store.claim_once("k") == 1
    clock.now += 2
    assert store.claim_once("k") is None


def test_a_lease_has_one_holder_until_it_ends(store: Store, other: Store, clock: Clock) -> None:
    assert store.acquire_lease("refresh", "one", 10)
    assert not other.acquire_lease("refresh", "two", 10)
    assert other.acquire_lease("another", "two", 10)
    clock.now += 9
    assert store.acquire_lease("refresh", "one", 10)  # renewed
    clock.now += 9.5
    assert not other.acquire_lease("refresh", "two", 10)
    clock.now += 0.5
    assert other.acquire_lease("refresh", "two", 10)
    assert not store.acquire_lease("refresh", "one", 10)
    store.release_lease("refresh", "one")  # not its own any more
    assert not store.acquire_lease("refresh", "one", 10)
    other.release_lease("refresh", "two")
    assert store.acquire_lease("refresh", "one", 10)
