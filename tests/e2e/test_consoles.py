"""Several consoles of one worker: opened, named, addressed, closed; watched while nobody looks; shared by two."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from console_rig import QUICK, Rig, hub, rig, text, until
from faults import FaultyProvider
from figures import size
from hosts import processes
from operator_world import Operator

from amtui.console import roster, server
from amtui.console.status import Link
from amtui.errors import NotFound, Refused
from amtui.model import MAIN_CONSOLE, Authority
from amtui.providers.base import Cap

SECOND = "amconsole-2"
BRISK = replace(QUICK, calm=0.2, watch=6, nap=1)
EXEC_ONLY = Cap.LIST | Cap.FILES
levels = pytest.mark.parametrize("caps", [None, EXEC_ONLY], ids=["L3", "L1"])


# ---- as an operator uses them


def test_opened_named_addressed_started_again_and_closed(operator: Operator) -> None:
    operator.do("new", "w", "--on", "local", "--agent", "shell", "--no-attach")
    opened = operator.json("console", "w", "new", "build")
    assert (opened["console"], opened["number"], opened["title"]) == (SECOND, 2, "build")
    assert operator.json("console", "new", "w")["number"] == 3
    operator.refused("console", "w", "new", "build", code=1)
    operator.do("console", "w", "rename", "3", "two words")
    listed = operator.json("console", "w", "ls")["consoles"]
    assert [(one["console"], one["title"]) for one in listed] == [
        (MAIN_CONSOLE, ""), (SECOND, "build"), ("amconsole-3", "two words")
    ]  # fmt: skip
    # Each is addressed by number, name or title, and nothing goes astray.
    operator.do("send", "w", "sleep 300", "--console", "build")
    operator.do("send", "w", "echo $((6*7))", "--console", "two words")
    operator.until(lambda: "42" in operator.do("screen", "w", "--console", "3"), "its answer")
    assert "sleep" not in operator.screen("w")
    assert operator.json("screen", "w", "--console", "2")["console"] == SECOND
    # What runs is not ended without a word.
    said = operator.refused("console", "w", "close", "build", code=4)
    assert "sleep runs there" in said
    operator.do("keys", "w", "C-c", "--console", SECOND)
    waited = operator.json("wait", "w", "--console", "build", "--until", "idle", "--timeout", "20")
    assert waited["console"] == SECOND
    # A shell that has exited says so, and can be started again or closed.
    operator.do("send", "w", "exit 3", "--console", "3")
    operator.do("wait", "w", "--console", "3", "--until", "failed,done", "--timeout", "20")
    (dead,) = (one for one in operator.json("console", "w", "ls")["consoles"] if one["number"] == 3)
    assert dead["dead"]
    operator.do("console", "w", "restart", "3")
    assert not operator.json("console", "w", "ls")["consoles"][2]["dead"]
    operator.do("console", "w", "close", "build")
    operator.do("console", "close", "w", "two words")
    assert len(operator.json("console", "w", "ls")["consoles"]) == 1
    root = Path(operator.json("show", "w")["root"])
    assert [path.name for path in (root / "run").iterdir()] == [MAIN_CONSOLE]
    # The agent's own is not for closing, and what is not there is said to be so.
    assert "sleep w" in operator.refused("console", "w", "close", "1", code=1)
    operator.refused("console", "w", "close", "2", code=3)
    operator.refused("screen", "w", "--console", "nowhere", code=3)
    operator.refused("--read-only", "console", "w", "new", code=1)


def test_they_share_the_agents_world_and_end_with_its_server(operator: Operator) -> None:
    operator.do("new", "w", "--on", "local", "--agent", "shell", "--no-attach")
    root = Path(operator.json("show", "w")["root"])
    with (root / "etc" / "env").open("a") as file:
        file.write("AM_PLANTED=a secret of the agent\n")  # after the agent has read it
    operator.do("console", "w", "new", "beside")
    look = "{ env | grep -v ^_= | sort; pwd; ls -A / /tmp; id -u; } >~/%s 2>&1; echo do''ne"
    for console, file_name in (("1", "one"), ("2", "two")):
        operator.do("send", "w", look % file_name, "--console", console)
        operator.until(
            lambda console=console: "done" in operator.do("screen", "w", "--console", console),  # type: ignore[misc]
            "the look round",
        )
    one, two = ((root / "home" / name).read_text() for name in ("one", "two"))
    assert "AM_PLANTED=a secret of the agent\n" in two
    assert "TMUX" not in two
    assert str(operator.config) not in two
    assert two.replace("AM_PLANTED=a secret of the agent\n", "") == one, (
        "the same environment, directory and confinement"
    )
    # A restart of the agent leaves them alone; destroy names them; sleep ends them and says so; wake brings none.
    operator.do("send", "w", "still=here", "--console", "2")
    operator.do("restart", "w")
    operator.do("send", "w", "echo $still", "--console", "2")
    operator.until(
        lambda: "here" in operator.do("screen", "w", "--console", "2").splitlines(), "the same shell"
    )
    assert "ends console beside" in operator.refused("destroy", "w", code=4)
    slept = operator.run("sleep", "w", "--json")
    assert json.loads(slept.stdout)["consoles_ended"] == {"w": ["beside"]}
    assert operator.json("console", "w", "ls")["consoles"] == []
    assert "wake w" in operator.refused("console", "w", "new", code=1)
    assert processes(str(root)) == []
    operator.do("wake", "w")
    assert [c["console"] for c in operator.json("console", "w", "ls")["consoles"]] == [MAIN_CONSOLE]


# ---- closed under those who watch


def sleepers(it: Rig) -> set[str]:
    """For how long the sleeps of this worker sleep."""
    found = set()
    for pid in processes(it.place.socket):
        with suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
            found |= {words[1]} if words[0] == "sleep" else set()
    return found


@levels
async def test_a_console_closed_under_its_viewer_is_seen_to_end(tmp_path: Path, caps: Cap | None) -> None:
    async with rig(tmp_path) as it:
        await it.start("sh", "-c", "exec sleep 600")
        # A program that heeds neither HUP nor TERM, and a neighbour's that must live on.
        stubborn = "(trap '' HUP TERM; exec sleep 601) & trap '' HUP; printf ready; exec sleep 602"
        await it.start("sh", "-c", stubborn, console=SECOND)
        place = it.with_provider(FaultyProvider(it.place.provider, 0.0, caps=caps))
        async with hub(QUICK) as consoles:
            handle = await consoles.open(place, SECOND)
            await handle.ready(15)
            await until(lambda: "ready" in text(handle), "its picture")
            assert await roster.jobs(it.place, SECOND) == ["sleep"]
            assert sleepers(it) == {"600", "601", "602"}
            await roster.close(it.place, SECOND)
            await until(lambda: handle.status.link is Link.ENDED, "the end is seen")
            assert "ready" in text(handle), "the last picture stays"
        assert sleepers(it) == {"600"}
        assert not Path(it.place.run(SECOND)).exists()
        assert [one.name for one in await roster.roster(it.place)] == [MAIN_CONSOLE]
        with pytest.raises(NotFound):
            await roster.close(it.place, SECOND)
        with pytest.raises(Refused):
            await roster.close(it.place, MAIN_CONSOLE)


# ---- hidden and visible


def requests(it: Rig, *verbs: str) -> list[str]:
    """Requests of the helper that rest on the host now."""
    found = []
    for pid in processes(it.place.socket):
        with suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
            found += [verb for verb in verbs if verb in words]
    return found


def following(it: Rig) -> list[str]:
    """Requests that carry output or keys for somebody."""
    return requests(it, "stream", "poll", "control")


@levels
async def test_hidden_is_watched_not_followed_and_comes_back(tmp_path: Path, caps: Cap | None) -> None:
    async with rig(tmp_path) as it:
        script = 'printf "ready"; while read -r line; do eval "$line"; done'
        await it.start("sh", "-c", f"stty -echo; {script}")
        await it.start("sh", "-c", "exec sleep 600", console=SECOND)
        provider = FaultyProvider(it.place.provider, 0.0, caps=caps)
        async with hub(BRISK) as consoles:
            handle = await consoles.open(it.with_provider(provider))
            await handle.ready(15)
            await until(lambda: "ready" in text(handle) and following(it), "its picture")
            handle.visible = False
            await until(lambda: not following(it), "nothing follows it")
            await until(lambda: handle.status.title and requests(it, "watch"), "the watch has begun")

            async def tell(line: str) -> None:
                await server.send(it.place, MAIN_CONSOLE, line)

            # Output alone costs nothing and moves nothing.
            before = provider.counts["execs"] + provider.counts["streams"]
            await tell(
                "i=0; while [ $i -lt 3000 ]; do i=$((i + 1)); echo noise $i; done; echo enough >enough"
            )
            await until((it.home / "enough").exists, "the noise")
            assert provider.counts["execs"] + provider.counts["streams"] - before <= 2
            assert "noise" not in text(handle)
            # A title, a bell, a notice and the end of its program are noticed.
            await tell(r"printf '\033]2;at work\007\007'")
            await until(lambda: handle.status.title == "at work" and handle.status.rang > 0, "title and bell")
            heard = handle.status.rang
            await asyncio.sleep(max(0.0, heard + 1.1 - time.time()))
            await tell(r"printf '\033]9;look here\007'")
            await until(lambda: handle.status.rang > heard, "the notice")
            await tell("exit 4")
            await until(lambda: handle.status.link is Link.DEAD, "its death")
            # Back in view everything is as it is now.
            assert not following(it)
            await server.restart(it.place, MAIN_CONSOLE, ["sh", "-c", "printf anew; exec sleep 600"])
            handle.visible = True
            await until(
                lambda: "anew" in text(handle) and handle.status.link is Link.LIVE, "the present picture"
            )
            await until(lambda: following(it), "it is followed again")
            # Hidden again, it may even be closed.
            other = await consoles.open(it.with_provider(provider), SECOND)
            await other.ready(15)
            other.visible = False
            await roster.close(it.place, SECOND)
            await until(lambda: other.status.link is Link.ENDED, "that it was closed")


async def test_one_request_watches_all_hidden_consoles(tmp_path: Path) -> None:
    async with rig(tmp_path) as it:
        names = [roster.name_of(number) for number in range(1, 5)]
        for name in names:
            await it.start("sh", "-c", "printf ready; exec cat", console=name)
        provider = FaultyProvider(it.place.provider, 0.0, caps=EXEC_ONLY)
        async with hub(BRISK) as consoles:
            handles = [await consoles.open(it.with_provider(provider), name) for name in names]
            for handle in handles:
                await handle.ready(15)
                handle.visible = False
            watching = consoles.watch(it.with_provider(provider))
            await until(lambda: watching.listed is not None and len(watching.listed) == 4, "the list")
            await until(
                lambda: sum(" watch " in line for line in it.processes()) == 1, "one request for all", 5
            )
            assert following(it) == []
            await it.start("sh", "-c", "exec cat", console=roster.name_of(5))
            await until(lambda: len(watching.listed or ()) == 5, "one more")
            watching.release()
        await until(lambda: not requests(it, "watch"), "nothing of ours")


# ---- two people


@levels
async def test_two_who_type_in_turns_keep_their_order(tmp_path: Path, caps: Cap | None) -> None:
    """Who was answered first comes first, whoever types next; each sees what the other typed."""
    async with rig(tmp_path) as it:
        await it.start("sh", "-c", "stty raw -echo; printf ready; exec tee typed", console=SECOND)
        place = it.with_provider(FaultyProvider(it.place.provider, 0.0, caps=caps))
        async with hub() as one, hub() as two:
            people = [await each.open(place, SECOND, Authority.TYPE) for each in (one, two)]
            for handle in people:
                await handle.ready(15)
            wanted = ""
            for number in range(size(10, 60)):
                word = f"{'ab'[number % 2]}{number}."
                people[number % 2].type(word.encode())
                await people[number % 2].drain(15)
                wanted += word
            for handle in people:
                await until(lambda handle=handle: wanted in "".join(handle.screen.display), "what both typed")  # type: ignore[misc]
            assert (it.home / "typed").read_text() == wanted
            # Both at once: each one's own keys stay in their order, none lost, none doubled.
            for number in range(30):
                people[0].type(chr(ord("A") + number % 26).encode())
                people[1].type(chr(ord("0") + number % 10).encode())
            for handle in people:
                await handle.drain(15)
            more = ""
            with suppress(AssertionError):
                await until(lambda: len((it.home / "typed").read_text()) >= len(wanted) + 60, "all of it")
            more = (it.home / "typed").read_text().removeprefix(wanted)
            assert "".join(c for c in more if c.isalpha()) == "".join(
                chr(ord("A") + n % 26) for n in range(30)
            )
            assert "".join(c for c in more if c.isdigit()) == "".join(
                chr(ord("0") + n % 10) for n in range(30)
            )
