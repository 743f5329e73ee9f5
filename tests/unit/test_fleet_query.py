"""The filter grammar and the order by attention."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amtui.errors import UsageError
from amtui.fleet import query
from amtui.model import AgentState, AgentStatus, Autonomy, Host, HostState, Worker, WorkerRow


def row(name: str, status: AgentStatus = AgentStatus.IDLE, *, on: str = "local", text: str = "", asleep: bool = False,
        since: float = 1.0, tags: tuple[str, ...] = ()) -> WorkerRow:  # fmt: skip
    worker = Worker(id=name * 4, name=name, substrate=on, host_id=on.partition(":")[2] or on, runtime="claude",
                    autonomy=Autonomy.ASK, asleep=asleep, tags=tags)  # fmt: skip
    host = Host(id=worker.host_id, substrate=on, state=HostState.READY)
    return WorkerRow(worker=worker, host=host, agent=AgentState(status=status, text=text, since=since))


ROWS = (
    row("web", AgentStatus.NEEDS_YOU, on="ssh:box", text="Allow rm?", tags=("front",)),
    row("api", AgentStatus.WORKING, text="tests"),
    row("old", AgentStatus.IDLE, asleep=True),
)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", {"web", "api", "old"}),
        ("needs", {"web"}),
        ("-asleep", {"web", "api"}),
        ("on:ssh", {"web"}),
        ("on:box", {"web"}),
        ("on:local working", {"api"}),
        ("tag:front", {"web"}),
        ("agent:claude -needs", {"api", "old"}),
        ("state:working", {"api"}),
        ("rm?", {"web"}),
        ("nothing-like-it", set()),
    ],
)
def test_what_a_query_keeps(text: str, names: set[str]) -> None:
    assert {r.worker.name for r in ROWS if query.parse(text)(r)} == names


def test_an_unknown_field_is_named_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="colour") as refused:
        query.parse("colour:red")
    assert "tag" in refused.value.hint


@given(st.text(max_size=40))
def test_any_text_parses_or_is_a_usage_error(text: str) -> None:
    try:
        wanted = query.parse(text)
    except UsageError:
        return
    for each in ROWS:
        assert isinstance(wanted(each), bool)


@given(st.permutations(ROWS))
def test_who_needs_a_person_comes_first_and_sleepers_last(rows: list[WorkerRow]) -> None:
    assert [r.worker.name for r in query.by_attention(rows)] == ["web", "api", "old"]
