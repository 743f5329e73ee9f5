"""The gate names all that is missing, with the exit code that fits, and lets through what is complete."""

from __future__ import annotations

from typing import Any

import pytest

from amtui.bootstrap.gate import Neighbour, Request, check
from amtui.errors import (
    AmtuiError,
    GateRefused,
    MissingCredentials,
    NameTaken,
    NotFound,
    Unreachable,
    UsageError,
)
from amtui.model import Autonomy, Wire
from amtui.providers.base import Account, FileStat
from amtui.runtimes.claude import Claude
from amtui.runtimes.shell import Shell
from amtui.upstreams.base import Upstream

MESSAGES = Upstream(id="t", wires=(Wire.MESSAGES,), base_url="http://t", key_env="T_KEY")
CHAT = Upstream(id="c", wires=(Wire.CHAT,), base_url="http://c", key_env="C_KEY")
SECRET = "sk-very-secret-value"


class Substrate:
    """As much of a provider as the gate asks."""

    kind = "ssh"

    def __init__(self, error: AmtuiError | None = None, kind: str = "dir") -> None:
        self.error = error
        self.files = self
        self.kind_of_path = kind

    async def check(self, host_id: str | None = None) -> Account:
        if self.error:
            raise self.error
        return Account("me@box", ("a note",))

    async def stat(self, host_id: str, path: str) -> FileStat:
        if self.kind_of_path == "missing":
            raise NotFound("no")
        return FileStat("x", self.kind_of_path, 0, 0o755, 0.0)  # type: ignore[arg-type]


class Answer:
    """What a probe found."""

    def __init__(self, works: bool) -> None:
        self.works = works
        self.detail = "t: the key was rejected (401)"

    def offers(self, *wires: Wire) -> bool:
        return self.works


def wish(**words: Any) -> Request:
    return Request(
        **{
            "name": "a",
            "substrate": "ssh:box",
            "host_id": "box",
            "runtime": Claude(),
            "autonomy": Autonomy.ASK,
            "upstream": MESSAGES,
            "key": SECRET,
        }
        | words
    )


async def ask(request: Request, substrate: Substrate | None = None, works: bool = True, **words: Any) -> Any:
    async def probe(upstream: Upstream, key: str | None) -> Answer:
        assert key == SECRET
        return Answer(works)

    return await check(request, substrate or Substrate(), **{"probe": probe} | words)  # type: ignore[arg-type]


async def test_a_complete_wish_passes_and_is_proven() -> None:
    verdict = await ask(wish())
    assert verdict.proven
    assert verdict.notes == ("a note",)


async def test_a_shell_needs_no_model() -> None:
    assert (await ask(wish(runtime=Shell(), upstream=None, key=None))).proven


@pytest.mark.parametrize(
    "words", [{"login_later": True, "key": None}, {"login_later": True, "upstream": None, "key": None}]
)
async def test_login_later_is_unproven_and_says_so(words: dict[str, Any]) -> None:
    verdict = await ask(wish(**words))
    assert not verdict.proven
    assert "login" in verdict.notes[-1]


async def test_offline_does_not_probe() -> None:
    assert not (await ask(wish(), works=False, offline=True)).proven


@pytest.mark.parametrize(
    ("words", "error", "text"),
    [
        ({"name": "Bad;rm -rf"}, UsageError, "cannot be a worker's name"),
        ({"name": "a" * 300}, UsageError, "cannot be"),
        ({"name": "-a"}, UsageError, "cannot be"),
        ({"name": "taken"}, NameTaken, "already"),
        ({"upstream": CHAT}, GateRefused, "claude speaks messages; c offers chat"),
        ({"key": None}, GateRefused, "needs the key T_KEY"),
        ({"upstream": None}, GateRefused, "no upstream, account or login"),
        ({"workdir": "rel"}, UsageError, "not absolute"),
        ({"workdir": "/w", "repo": "x"}, UsageError, "exclude each other"),
        ({"tenant": "acme"}, GateRefused, "two tenants"),
    ],
)
async def test_each_lack_is_named(words: dict[str, Any], error: type[AmtuiError], text: str) -> None:
    with pytest.raises(error, match=text) as refused:
        await ask(wish(**words), neighbours=[Neighbour("taken", "ssh:box", "box")])
    assert type(refused.value) is error
    assert refused.value.hint
    assert SECRET not in refused.value.message + refused.value.hint + repr(wish(**words))


@pytest.mark.parametrize("kind", ["missing", "file"])
async def test_a_workdir_that_is_none(kind: str) -> None:
    with pytest.raises(UsageError, match="/w"):
        await ask(wish(workdir="/w"), Substrate(kind=kind))


async def test_a_host_that_is_down_keeps_its_exit_code() -> None:
    with pytest.raises(Unreachable):
        await ask(wish(), Substrate(Unreachable("box does not answer")))


async def test_a_rejected_key() -> None:
    with pytest.raises(GateRefused, match="rejected"):
        await ask(wish(), works=False)


async def test_a_repository_that_cannot_be_reached() -> None:
    async def unreachable(repo: str) -> None:
        raise Unreachable(f"no {repo}")

    with pytest.raises(Unreachable, match="no git@x:y"):
        await ask(wish(repo="git@x:y"), repo_reachable=unreachable)


async def test_full_autonomy_here_needs_confinement_or_consent() -> None:
    local = {"substrate": "local", "host_id": "local", "autonomy": Autonomy.FULL}
    with pytest.raises(GateRefused, match="without bwrap"):
        await ask(wish(**local))
    for allowed in (
        {"confined": True},
        {"consent": True},
        {"autonomy": Autonomy.EDITS},
        {"runtime": Shell()},
    ):
        await ask(wish(**local | allowed))


async def test_everything_missing_is_named_at_once() -> None:
    with pytest.raises(GateRefused) as refused:
        await ask(
            wish(name="X", upstream=CHAT, workdir="rel"), Substrate(MissingCredentials("no key for box"))
        )
    for part in ("'X'", "c offers chat", "rel", "no key for box", "4 things"):
        assert part in refused.value.message
    assert refused.value.exit_code == 5


async def test_only_words_that_are_wrong_stay_a_usage_error() -> None:
    with pytest.raises(UsageError, match=r"'X'.*rel"):
        await ask(wish(name="X", workdir="rel"))
