"""Workers, hosts, states and phases are what was put, whatever it was, and read fast."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amtui.errors import NameTaken, UnknownName, UsageError
from amtui.model import (
    NAME_RULE,
    UNKNOWN_STATE,
    AgentState,
    AgentStatus,
    Autonomy,
    Host,
    HostState,
    Phase,
    PhaseStatus,
    Worker,
)
from amtui.store import Store

FIXED = settings(
    derandomize=True,
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "amtui.db")
    yield opened
    opened.close()


def worker(number: int = 1, **changes: Any) -> Worker:
    facts: dict[str, Any] = {
        "id": f"{number:032x}",
        "name": f"w{number}",
        "substrate": "local",
        "host_id": "local",
        "runtime": "shell",
        "autonomy": Autonomy.ASK,
    }
    return Worker(**{**facts, **changes})


def names(found: list[Worker]) -> list[str]:
    return [each.name for each in found]


LINE = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30)
WORKERS = st.builds(
    Worker,
    id=st.integers(0, 2**128 - 1).map(lambda number: f"{number:032x}"),
    name=st.from_regex(NAME_RULE, fullmatch=True),
    substrate=LINE,
    host_id=LINE,
    runtime=LINE,
    autonomy=st.sampled_from(Autonomy),
    root=LINE,
    socket=LINE,
    upstream=st.none() | LINE,
    account=st.none() | LINE,
    model=st.none() | LINE,
    login_later=st.booleans(),
    workdir=st.none() | LINE,
    repo=st.none() | LINE,
    confined=st.booleans(),
    size=LINE,
    tags=st.lists(LINE, max_size=3).map(tuple),
    created_at=st.floats(0, 1e10),
    asleep=st.booleans(),
)


@FIXED
@given(WORKERS)
def test_a_worker_comes_back_as_it_was(store: Store, wanted: Worker) -> None:
    store.add_worker(wanted)
    try:
        assert store.worker(wanted.name) == wanted
        assert store.worker_by_id(wanted.id) == wanted
        assert store.worker_by_id(wanted.short_id) == wanted
        assert store.workers() == [wanted]
    finally:
        store.remove_worker(wanted.id)
    assert store.workers() == []


def test_a_name_belongs_to_one_worker(store: Store) -> None:
    store.add_worker(worker(1))
    with pytest.raises(NameTaken, match="w1") as caught:
        store.add_worker(worker(2, name="w1"))
    assert "amtui show w1" in caught.value.hint
    store.add_worker(worker(2))
    with pytest.raises(NameTaken):
        store.update_worker(worker(2).id, name="w1")
    assert names(store.workers()) == ["w1", "w2"]
    store.remove_worker(worker(1).id)
    store.add_worker(worker(3, name="w1"))


@pytest.mark.parametrize("name", ["", "a b", "a;rm", "a" * 300, "-x", "A", "x\x1b[2J"])
def test_a_name_outside_the_rule_is_refused(store: Store, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        store.add_worker(worker(1, name=name))
    assert len(caught.value.message) < 80
    assert "\x1b" not in caught.value.message
    store.add_worker(worker(1))
    with pytest.raises(UsageError):
        store.update_worker(worker(1).id, name=name)
    assert names(store.workers()) == ["w1"]


def test_an_unknown_name_names_the_nearest(store: Store) -> None:
    with pytest.raises(UnknownName) as caught:
        store.worker("a")
    assert "amtui new" in caught.value.hint
    for number, name in enumerate(["reviewer", "research", "web-1"]):
        store.add_worker(worker(number, name=name))
    with pytest.raises(UnknownName, match="reviwer") as caught:
        store.worker("reviwer")
    assert caught.value.hint.startswith("did you mean reviewer")
    with pytest.raises(UnknownName) as caught:
        store.worker("zzzzzz\x1b]0;x\x07" * 50)
    assert "\x1b" not in caught.value.message
    assert len(caught.value.message) < 100
    for unknown in ("f" * 32, "f" * 12, "", "%", "_" * 12):
        with pytest.raises(UnknownName):
            store.worker_by_id(unknown)


def test_update_changes_what_was_asked_and_returns_it(store: Store) -> None:
    store.add_worker(worker(1))
    changed = store.update_worker(worker(1).id, model="m", tags=("a",), asleep=True, name="new")
    assert changed == worker(1, model="m", tags=("a",), asleep=True, name="new")
    assert store.worker("new") == changed
    with pytest.raises(UnknownName):
        store.worker("w1")
    with pytest.raises(UnknownName):
        store.update_worker("0" * 32, model="x")
    for wrong in ({"id": "1"}, {"created_at": 1.0}, {"nosuch": 1}):
        with pytest.raises((TypeError, AttributeError)):
            store.update_worker(worker(1).id, **wrong)
    with pytest.raises(ValueError, match="model"):
        store.update_worker(worker(1).id, model=3)
    assert store.worker("new") == changed


def test_removing_takes_what_is_the_workers_and_no_more(store: Store) -> None:
    for number in (1, 2):
        store.add_worker(worker(number))
        store.put_state(worker(number).id, UNKNOWN_STATE)
        store.put_phase(worker(number).id, Phase(id="a", title="A", status=PhaseStatus.DONE))
        store.put_sample(worker(number).id, {"load": 1.0})
        store.record(worker(number).id, "made", "x")
    store.remove_worker(worker(1).id)
    store.remove_worker(worker(1).id)
    assert set(store.states()) == {worker(2).id}
    assert store.phases(worker(1).id) == ()
    assert len(store.phases(worker(2).id)) == 1
    assert store.samples(worker(1).id) == []
    assert len(store.samples(worker(2).id)) == 1
    assert len(store.events(worker=worker(1).id)) == 1  # the story stays


def test_a_late_report_of_a_removed_worker_leaves_nothing(store: Store) -> None:
    store.put_state(worker(1).id, UNKNOWN_STATE)
    store.put_phase(worker(1).id, Phase(id="a", title="A", status=PhaseStatus.DONE))
    assert store.states() == {}
    assert store.phases(worker(1).id) == ()


def test_hosts(store: Store) -> None:
    first = Host(id="local", substrate="local", state=HostState.READY, labels={"a": "b"}, tenant="t")
    assert store.host("local") is None
    store.put_host(first)
    assert store.host("local") == first
    asleep = Host(id="local", substrate="local", state=HostState.ASLEEP)
    store.put_host(asleep)
    assert store.hosts() == [asleep]
    for name in ("sb-1", "sb-2"):
        store.put_host(Host(id=name, substrate="e2b", state=HostState.READY))
    found = store.host("e2b", "sb-1")
    assert found is not None
    assert found.id == "sb-1"
    assert store.host("e2b", "sb-9") is None
    store.remove_host("e2b", "sb-1")
    assert [each.id for each in store.hosts()] == ["sb-2", "local"]
    store.remove_host("local")
    store.remove_host("local")
    assert [each.id for each in store.hosts()] == ["sb-2"]


def test_states_and_phases(store: Store) -> None:
    store.add_worker(worker(1))
    for status in AgentStatus:
        state = AgentState(status=status, reason="r", text="t\n", rule="x", seen_at=1.5)
        store.put_state(worker(1).id, state)
        assert store.states() == {worker(1).id: state}

    def phase(name: str, status: PhaseStatus) -> Phase:
        return Phase(id=name, title=name, status=status, started_at=1.0, cause="é")

    for name in "abc":
        store.put_phase(worker(1).id, phase(name, PhaseStatus.PENDING))
    store.put_phase(worker(1).id, phase("b", PhaseStatus.FAILED))
    assert store.phases(worker(1).id) == (
        phase("a", PhaseStatus.PENDING),
        phase("b", PhaseStatus.FAILED),
        phase("c", PhaseStatus.PENDING),
    )
    store.clear_phases(worker(1).id)
    assert store.phases(worker(1).id) == ()


def test_rows_join_what_is_known_and_say_unknown_for_the_rest(store: Store) -> None:
    store.add_worker(worker(1))
    store.add_worker(worker(2, substrate="ssh:box", host_id="box"))
    host = Host(id="local", substrate="local", state=HostState.READY)
    state = AgentState(status=AgentStatus.NEEDS_YOU)
    phase = Phase(id="a", title="A", status=PhaseStatus.RUNNING)
    store.put_host(host)
    store.put_host(Host(id="other", substrate="ssh:box", state=HostState.FAILED))
    store.put_state(worker(1).id, state)
    store.put_phase(worker(1).id, phase)
    first, second = store.rows()
    assert (first.worker, first.host, first.agent, first.phases) == (worker(1), host, state, (phase,))
    assert first.refreshed_at > 0
    assert second.host == Host(id="box", substrate="ssh:box", state=HostState.UNKNOWN)
    assert second.agent is UNKNOWN_STATE
    assert (second.phases, second.refreshed_at) == ((), 0.0)


def test_a_thousand_rows_cost_little(store: Store) -> None:
    """First paint is made of these: 30 ms of CPU time on the reference machine, half as much again in CI."""
    state = AgentState(
        status=AgentStatus.WORKING, text="reviewing the change", rule="claude.busy", seen_at=1.0
    )
    for number in range(1000):
        store.add_worker(worker(number, tags=("a", "b"), model="m" * 20, root="/r" * 20))
        store.put_state(worker(number).id, state)
    with store.change() as db:
        phases = msgspec.json.encode(
            [Phase(id=f"p{n}", title="Phase", status=PhaseStatus.DONE) for n in range(8)]
        )
        db.executemany("INSERT INTO phases VALUES (?, ?)", [(worker(n).id, phases) for n in range(1000)])
    store.put_host(Host(id="local", substrate="local", state=HostState.READY))
    costs = []
    for _ in range(5):
        began = time.process_time()
        rows = store.rows()
        costs.append(time.process_time() - began)
    assert len(rows) == 1000
    assert len(rows[0].phases) == 8
    assert min(costs) < 0.045
