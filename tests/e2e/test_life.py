"""Birth, sleep, death: nothing is left, neighbours are untouched, names are told apart."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from figures import record
from hosts import SshWorld, processes
from operator_world import Operator


@pytest.fixture(params=["local", "ssh:box"])
def substrate(request: pytest.FixtureRequest, operator: Operator) -> str:
    """Both substrates, with the operator's environment prepared."""
    if request.param.startswith("ssh"):
        operator.env.update(request.getfixturevalue("sshd").environ)
    return str(request.param)


def sockets(operator: Operator) -> dict[str, Path]:
    rows = sqlite3.connect(operator.state / "amtui.db").execute(
        "SELECT name, json_extract(doc, '$.socket') FROM workers"
    )
    return {name: Path(path) for name, path in rows}


def roots(operator: Operator) -> dict[str, Path]:
    return {row["name"]: Path(row["root"]) for row in operator.json("ls", "--cached")["workers"]}


@pytest.mark.prove
def test_destroy_leaves_nothing_and_no_neighbour_is_touched(operator: Operator, substrate: str) -> None:
    for name in ("one", "two"):
        operator.do("new", name, "--on", substrate, "--agent", "shell", "--no-attach")
    root, socket = roots(operator), sockets(operator)
    operator.do("send", "one", "sleep 4242 & echo started")
    operator.do("send", "two", "echo kept-$((40+2))")
    operator.shows("two", "kept-42")
    assert "kept-42" not in operator.screen("one"), "typed into the wrong worker"
    before = operator.screen("two")
    operator.do("destroy", "one", "--yes")
    assert not root["one"].exists()
    assert not socket["one"].exists()
    assert processes(str(root["one"])) == []
    assert processes("sleep\x004242\x00") == [] or substrate == "local", "a process of the worker is left"
    again = operator.run("destroy", "one", "--yes")
    assert again.returncode == 0
    assert b"destroyed before" in again.stdout
    assert operator.screen("two") == before
    operator.do("send", "two", "echo alive-$((1+1))")
    operator.shows("two", "alive-2")
    operator.refused("send", "one", "x", code=3)
    record(
        f"destroy on {substrate}",
        "no process, socket, file left; the neighbour untouched",
        "nothing left",
        True,
    )


def test_sleep_keeps_files_and_wake_starts_again(operator: Operator, substrate: str) -> None:
    operator.do("new", "w", "--on", substrate, "--agent", "shell", "--no-attach")
    operator.do("exec", "w", "--", "sh", "-c", "echo kept > note.txt")
    operator.do("sleep", "w")
    assert "asleep" in operator.do("ls")
    assert not sockets(operator)["w"].exists() or processes(str(sockets(operator)["w"])) == []
    operator.do("wake", "w")
    assert operator.do("exec", "w", "--", "cat", "note.txt") == "kept\n"
    operator.do("send", "w", "echo awake-$((1+1))")
    operator.shows("w", "awake-2")


def test_a_home_deleted_behind_our_back(operator: Operator) -> None:
    operator.do("new", "w", "--on", "local", "--agent", "shell", "--no-attach")
    import shutil
    import subprocess

    subprocess.run(["tmux", "-S", str(sockets(operator)["w"]), "kill-server"], check=True)
    shutil.rmtree(roots(operator)["w"])
    said = operator.run("screen", "w")
    assert said.returncode != 0 and b"\n" in said.stderr and b"Traceback" not in said.stderr
    assert operator.run("destroy", "w", "--yes").returncode == 0
    assert operator.json("ls")["workers"] == []


def test_tmux_killed_and_restarted(operator: Operator) -> None:
    import subprocess

    operator.do("new", "w", "--on", "local", "--agent", "shell", "--no-attach")
    subprocess.run(["tmux", "-S", str(sockets(operator)["w"]), "kill-server"], check=True)
    assert operator.run("send", "w", "echo lost").returncode != 0
    operator.do("restart", "w")
    operator.do("send", "w", "echo back-$((1+1))")
    operator.shows("w", "back-2")


def test_bad_words_get_one_line_and_the_right_code(operator: Operator, sshd: SshWorld) -> None:
    operator.env.update(sshd.environ)
    new = ("new", "w", "--no-attach")
    cases = {
        (*new, "--on", "locl"): (2, "local"),
        (*new, "--on", "local", "--agent", "claud"): (2, "claude"),
        (*new, "--on", "local", "--agent", "claude", "--upstream", "anthropc"): (3, "anthropic"),
        (*new, "--on", "local", "--agent", "claude", "--upstream", "anthropic"): (5, "ANTHROPIC_API_KEY"),
        (*new, "--on", "e2b"): (1, "later release"),
        ("new", "a;rm -rf x", "--no-attach"): (2, "lower case"),
        ("new", "n" * 300, "--no-attach"): (2, "40"),
        ("new", "-x", "--no-attach"): (2, ""),
        ("show", "nobody"): (3, "nobody"),
        ("bootstrap", "nobody"): (3, "nobody"),
        ("frobnicate",): (2, "frobnicate"),
        (*new, "--on", "ssh:nowhere.invalid"): (6, "nowhere.invalid"),
    }
    operator.env.pop("ANTHROPIC_API_KEY", None)
    for words, (code, wanted) in cases.items():
        said = operator.refused(*words, code=code)
        assert wanted in said, (words, said)
        assert len(said.strip().splitlines()) <= 4, said
    assert operator.json("ls")["workers"] == [], "a refusal created something"
    operator.do("new", "w", "--on", "local", "--agent", "shell", "--no-attach")
    assert "w" in operator.refused("new", "w", "--on", "local", "--no-attach", code=1)


def test_config_typo_names_line_key_and_nearest(operator: Operator) -> None:
    (operator.config / "config.toml").write_text('[ui]\ntheme = "amtui-dark"\nglyhps = "ascii"\n')
    said = operator.refused("ls", code=2)
    (operator.config / "config.toml").unlink()
    for word in ("config.toml:3", "glyhps", "glyphs"):
        assert word in said


def test_a_store_from_the_future_is_left_alone(operator: Operator) -> None:
    operator.do("ls")
    path = operator.state / "amtui.db"
    with sqlite3.connect(path) as db:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        db.execute("PRAGMA user_version = 9999")
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = path.read_bytes()
    said = operator.refused("ls", code=1)
    assert "newer" in said
    assert path.read_bytes() == before
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {version}")
