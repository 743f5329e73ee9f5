"""Events and samples: in order, bounded, free of what a terminal obeys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from amtui.store import MAX_EVENTS, Store
from amtui.store import journal as journal_module

A, B = "a" * 32, "b" * 32


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "amtui.db", clock=Clock())
    yield opened
    opened.close()


def texts(store: Store, **question: object) -> list[str]:
    return [event.text for event in store.events(**question)]  # type: ignore[arg-type]


def test_events_in_order_for_all_and_for_one(store: Store) -> None:
    for number in range(6):
        event = store.record(A if number % 2 else B, "kind", str(number))
        assert event.at == 1001.0 + number
    assert texts(store) == list("012345")
    assert texts(store, worker=A) == list("135")
    assert texts(store, limit=2) == list("45")
    assert texts(store, worker=B, limit=2) == list("24")
    assert texts(store, worker="c" * 32) == []


def test_a_follower_misses_none_and_sees_none_twice(store: Store) -> None:
    seen: list[str] = []
    after = 0
    for number in range(25):
        store.record(A, "kind", str(number))
        if number % 7 == 6:
            while found := store.events(after=after, limit=3):
                seen += [event.text for event in found]
                after = found[-1].id
    seen += texts(store, after=after)
    assert seen == [str(number) for number in range(25)]


def test_events_are_bounded_per_worker(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_EVENTS == 10_000
    monkeypatch.setattr(journal_module, "MAX_EVENTS", 10)
    store.record(B, "kind", "of another")
    for number in range(25):
        store.record(A, "kind", str(number))
        assert len(store.events(worker=A)) <= 10
    assert texts(store, worker=A) == [str(number) for number in range(15, 25)]
    assert texts(store, worker=B) == ["of another"]


def test_ids_are_never_given_twice(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "MAX_EVENTS", 0)
    ids = [store.record(A, "kind", "x").id for _ in range(5)]
    assert ids == sorted(set(ids))


def test_texts_are_clean_and_short(store: Store) -> None:
    event = store.record(A, "kind", "a\x1b]52;c;x\x07b\x1b[2Jc\u202ed" + "x" * 10_000)
    assert event.text.startswith("abcd")
    assert len(event.text) == 4000
    assert store.events() == [event]


def test_a_destroyed_worker_is_remembered_by_name(store: Store) -> None:
    store.record(A, "destroyed", "gone")
    store.record(A, "sent", "kept")
    assert store.was_destroyed("gone")
    assert not store.was_destroyed("kept")
    assert not store.was_destroyed("")


def test_samples(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "MAX_SAMPLES", 5)
    store.put_sample(A, {"load": 0.5, "cores": 2, "disk_free": None}, at=10)
    assert [(each.at, each.values) for each in store.samples(A)] == [(10.0, {"load": 0.5, "cores": 2.0})]
    for number in range(11, 21):
        store.put_sample(A, {"load": number}, at=number)
    store.put_sample("host:local", {"load": 1})
    assert [each.at for each in store.samples(A)] == [16, 17, 18, 19, 20]
    assert [each.at for each in store.samples(A, since=18)] == [18, 19, 20]
    assert [each.at for each in store.samples(A, limit=2)] == [19, 20]
    assert len(store.samples("host:local")) == 1
