"""Words that an operator, or somebody they copied from, may give: refused before anything is made."""

from __future__ import annotations

from pathlib import Path

from operator_world import Operator

NEW = ("new", "w", "--agent", "shell", "--no-attach", "--on")


def nothing_made(operator: Operator) -> None:
    assert operator.json("ls")["workers"] == []
    workers = operator.machines / "workers"
    assert not workers.exists() or list(workers.iterdir()) == []
    assert not list((operator.state / "crashes").glob("*")), "it called itself defective"


HOSTS = {
    "h" * 250: (6, "name is not known"),  # a label over 63 characters raised UnicodeError
    "127.0.0.1:99999": (2, "port"),  # raised OverflowError
    "$(touch${IFS}pwned)": (2, "ssh:HOST"),  # spoke of a secret's name
    "root@-oProxyCommand=id": (2, "ssh:HOST"),
}


def test_a_strange_ssh_host_is_refused_by_name(operator: Operator) -> None:
    for host, (code, wanted) in HOSTS.items():
        said = operator.refused(*NEW, f"ssh:{host}", code=code)
        assert wanted in said and "secret" not in said, said
    nothing_made(operator)


def test_a_workdir_that_cannot_be_confined_makes_no_worker(operator: Operator, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(Path.home())
    for path in ("/", str(link), str(operator.state)):
        said = operator.refused(*NEW, "local", "--workdir", path, code=1)
        assert "could not be confined" in said
    nothing_made(operator)


def test_a_state_directory_that_tmux_would_read_as_orders_makes_no_worker(tmp_path: Path) -> None:
    plain = Operator(tmp_path / "with space and ü")
    plain.do(*NEW, "local")
    plain.do("send", "w", "echo fine-$((1+1))")
    plain.shows("w", "fine-2")
    plain.do("destroy", "w", "--yes")
    strange = Operator(tmp_path / "it's $(touch pwned)")
    assert "AMTUI_STATE_DIR" in strange.refused(*NEW, "local", code=2)
    nothing_made(strange)


def test_a_model_is_one_plain_word(operator: Operator) -> None:
    for model in ("--dangerously", "a\nb", "a b", "m" * 300, "\x1b]0;x\x07"):
        words = ("new", "w", "--on", "local", "--agent", "claude", "--login", "later", f"--model={model}")
        assert "model" in operator.refused(*words, "--no-attach", code=2)
    nothing_made(operator)


def test_a_name_with_a_newline_is_one_line(operator: Operator) -> None:
    said = operator.refused("new", "a\nb", "--on", "local", "--no-attach", code=2)
    assert all(not line.startswith("b") for line in said.splitlines()), said
