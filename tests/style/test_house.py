"""House rules that tools do not know: sizes, names, who prints, links and commands in the documents."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from amtui.ops.registry import OPS

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCES = sorted((ROOT / "amtui").rglob("*.py"))
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FILE_LINES, FUNCTION_LINES = 400, 50
"""Above these a size is a question; above twice as much it is an answer, and the answer is no."""

PRINTERS = {"amtui/cli/output.py", "amtui/cli/diagnostics.py", "amtui/cli/asking.py", "amtui/cli/main.py"}
"""Who may touch stdout and stderr of the command line."""


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def sizes(path: Path) -> Iterator[tuple[str, int, int]]:
    """What it is, its lines, and the number above which that is a question; file first, then its functions."""
    text = path.read_text(encoding="utf-8")
    yield name_of(path), text.count("\n"), FILE_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            yield f"{name_of(path)}:{node.name}", lines, FUNCTION_LINES


def test_sizes() -> None:
    large = [(what, lines, limit) for path in SOURCES for what, lines, limit in sizes(path) if lines > limit]
    if large:
        said = ", ".join(f"{what} ({lines})" for what, lines, _ in sorted(large))
        warnings.warn(f"large, is there a reason? {said}", stacklevel=1)
    assert not [(what, lines) for what, lines, limit in large if lines > 2 * limit]


def test_names_say_what_a_thing_is() -> None:
    assert not [
        name_of(path) for path in SOURCES if re.fullmatch(r"utils?|helpers|managers?|misc|common", path.stem)
    ]


def test_every_module_says_what_it_is_for() -> None:
    trees = {name_of(path): ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}
    assert not [name for name, tree in trees.items() if tree.body and not ast.get_docstring(tree)]


def printed(path: Path) -> Iterator[str]:
    """Places that write to the standard streams."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            yield f"{name_of(path)}:{node.lineno} print"
        if isinstance(node, ast.Attribute) and node.attr == "write":
            value = node.value
            while isinstance(value, ast.Attribute):
                if (
                    value.attr in ("stdout", "stderr")
                    and isinstance(value.value, ast.Name)
                    and value.value.id == "sys"
                ):
                    yield f"{name_of(path)}:{node.lineno} sys.{value.attr}.write"
                value = value.value


def test_only_the_writers_write() -> None:
    assert not [place for path in SOURCES if name_of(path) not in PRINTERS for place in printed(path)]


def test_no_machine_paths() -> None:
    pattern = re.compile(r"(?<![\w}])/(?:work|root|home/\w+)/")
    hits = [name_of(path) for path in SOURCES if pattern.search(path.read_text(encoding="utf-8"))]
    assert not hits


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def code_lines(path: Path) -> Iterator[str]:
    """Lines of fenced blocks and inline code of a document."""
    text = path.read_text(encoding="utf-8")
    for block in re.findall(r"^```[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        yield from block.splitlines()
    yield from re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_documents_name_commands_that_exist(path: Path) -> None:
    verbs = {word for op in OPS for word in (op.id, op.id.split()[0])}
    for line in code_lines(path):
        for target in re.findall(r"(?:^|[&;$] ?)make ([a-z]+)", line):
            assert target in make_targets(), f"{name_of(path)}: make {target}"
        for verb in re.findall(r"^(?:\$ )?amtui ([a-z]+)\b", line):
            assert verb in verbs, f"{name_of(path)}: amtui {verb}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_links_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text):
        if not re.match(r"[a-z]+:|#", target):
            assert (path.parent / target.partition("#")[0]).exists(), f"{name_of(path)}: {target}"


def test_ci_runs_the_test_command_of_the_readme() -> None:
    readme, ci = (
        (ROOT / "README.md").read_text(encoding="utf-8"),
        (ROOT / ".ci/run").read_text(encoding="utf-8"),
    )
    assert "make test" in readme
    assert "make run" in readme
    assert "make test" in ci
    assert (ROOT / ".ci/run").stat().st_mode & 0o111


@pytest.mark.parametrize(
    "words",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy"],
        ["shellcheck", ".ci/run"],
        ["uv", "lock", "--check", "--offline"],
    ],
    ids=" ".join,
)
@pytest.mark.timeout(300)
def test_tools_are_content(words: list[str]) -> None:
    program = Path(sys.executable).with_name(words[0])
    done = subprocess.run(
        [program, *words[1:]], cwd=ROOT, capture_output=True, text=True, check=False, timeout=280
    )
    assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-2_000:]
