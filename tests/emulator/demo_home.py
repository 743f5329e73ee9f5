# ruff: noqa: E501 - data, one thing a line
"""The made-up home directory in which programs are recorded."""

from __future__ import annotations

import subprocess
from pathlib import Path

POEM = "静かな海 조용한 바다 안녕하세요 世界 🚀 naïve café Ελληνικά кириллица עברית العربية ไทยก็ हिन्दी e\u0301 ─│┌┐└┘█▓▒░"

CODE = '''"""A small queue."""
from collections import deque


class Queue:
    """First in, first out."""

    def __init__(self, limit: int = 100) -> None:
        self._items = deque(maxlen=limit)  # bounded

    def put(self, item: object) -> None:
        if item is None:
            raise ValueError("nothing to put")
        self._items.append(item)

    def get(self) -> object:
        return self._items.popleft() if self._items else None


if __name__ == "__main__":
    queue = Queue(10)
    for n in range(20):
        queue.put(f"item {n}")
    print(queue.get(), "漢字", "é")
'''

TEXTUAL = """
from textual.app import App
from textual.widgets import DataTable, Footer, Header, Input, ProgressBar, Tree


class Demo(App):
    BINDINGS = [("q", "quit", "Quit"), ("d", "toggle_dark", "Theme")]
    CSS = "Tree { width: 30; } DataTable { height: 1fr; }"

    def compose(self):
        yield Header()
        yield Input(placeholder="filter")
        yield DataTable(zebra_stripes=True)
        yield ProgressBar(total=100, show_eta=False)
        yield Footer()

    def on_mount(self):
        table = self.query_one(DataTable)
        table.add_columns("name", "state", "cost")
        for n in range(60):
            table.add_row(f"worker-{n}", ["idle", "working", "done"][n % 3], f"{n * 7 % 13}.00")
        self.query_one(ProgressBar).advance(40)
        table.focus()

    def action_toggle_dark(self):
        self.theme = "textual-light" if self.theme != "textual-light" else "textual-dark"


Demo().run()
"""

RICH = """
import time
from rich.console import Console
from rich.panel import Panel
from rich.progress import track
from rich.syntax import Syntax
from rich.table import Table
from rich.markdown import Markdown

console = Console()
table = Table(title="Builds")
for name in ("name", "state", "seconds"):
    table.add_column(name)
for n in range(8):
    table.add_row(f"job {n}", "[green]ok[/]" if n % 3 else "[bold red]failed[/]", str(n * 3))
console.print(table)
console.print(Panel(Markdown("# Title\\n* one\\n* two `code`\\n\\n> quoted 漢字"), title="notes"))
console.print(Syntax(open("queue_demo.py").read(), "python", line_numbers=True))
for n in track(range(60), description="working"):
    time.sleep(0.02)
with console.status("[bold]waiting", spinner="dots"):
    time.sleep(1.0)
console.print(":rocket: done", "https://example.org", "[link=https://example.org]a link[/link]")
"""

UNICODE = """
import sys
w = sys.stdout.write
for block in ((0x2500, 0x25a0), (0x2190, 0x21ff), (0x2600, 0x26ff), (0x3041, 0x30ff), (0x4e00, 0x4e80),
              (0xac00, 0xac60), (0x1f300, 0x1f640), (0x0300, 0x0330), (0x0e01, 0x0e3a), (0xff01, 0xff60),
              (0x1100, 0x1120), (0x0900, 0x0930), (0x20d0, 0x20e0), (0x1f1e6, 0x1f1ff), (0x2800, 0x2880)):
    w(f"\\x1b[1;3{block[0] % 7 + 1}m{block[0]:04x}\\x1b[0m ")
    for n in range(*block):
        w(("e" if 0x300 <= n < 0x330 or 0x20d0 <= n < 0x20e0 else "") + chr(n) + (" " if n % 9 == 0 else ""))
    w("\\r\\n")
for text in ("❤️ heart", "👨‍👩‍👧 family", "👍🏽 tone", "🏳️‍🌈 flag", "ก็ thai", "각 jamo", "é composed", "e\\u0301 decomposed",
             "a\\u200bb zero", "x\\ufeffy bom", "\\u202eright\\u202c"):
    w(f"|{text}|\\r\\n")
w("漢" * 45 + "\\r\\n" + "a" + "漢" * 45 + "\\r\\n")
w("".join(f"\\x1b[{n};{n * 3}H漢字\\x1b[{n};{n * 3 + 1}Hx" for n in range(3, 12)))
w("\\x1b[15;1H" + "한글" * 20 + "\\x1b[15;4H\\x1b[3P\\x1b[15;20H\\x1b[2@\\x1b[16;1H")
"""

TABLE = """
import sys, time
w = sys.stdout.write
w("\\x1b[?1049h\\x1b[?25l\\x1b[H\\x1b[2J")
for frame in range(25):
    w("\\x1b[?2026h\\x1b[H")
    for y in range(20):
        w(f"\\x1b[{y + 1};1H")
        for x in range(0, 80, 4):
            v = (x * 3 + y * 7 + frame * 11) % 256
            w(f"\\x1b[38;2;{v};{255 - v};{y * 12}m\\x1b[48;5;{232 + (y + frame) % 24}m{x + frame:4d}")
    w(f"\\x1b[0m\\x1b[22;1Hframe {frame}\\x1b[K\\x1b[?2026l")
    sys.stdout.flush()
    time.sleep(0.02)
w("\\x1b[?25h\\x1b[?1049l")
"""


def make_home(home: Path) -> None:
    """Fill `home`."""
    home.mkdir(parents=True)
    (home / ".hushlogin").touch()
    (home / ".bashrc").write_text(
        "PS1='\\[\\e[32m\\]demo@box\\[\\e[0m\\]:\\w\\$ '\nalias ll='ls -l --color'\n"
    )
    (home / ".vimrc").write_text("syntax on\nset number ruler showcmd mouse=a nocompatible\n")
    (home / "queue_demo.py").write_text(CODE)
    (home / "textual_demo.py").write_text(TEXTUAL)
    (home / "rich_demo.py").write_text(RICH)
    (home / "unicode_demo.py").write_text(UNICODE)
    (home / "colours.py").write_text(TABLE)
    lines = [
        f"{n:4d} {POEM}" if n % 5 == 0 else f"{n:4d} plain\ttext, word{n} of the file" for n in range(200)
    ]
    (home / "text.txt").write_text("\n".join(lines) + "\n")
    coloured = [f"\x1b[3{n % 8}mcolour {n}\x1b[0m \x1b[1;4mbold\x1b[0m {POEM[:20]}" for n in range(80)]
    (home / "coloured.txt").write_text("\n".join(coloured) + "\n")
    for name in ("alpha", "beta/inner", "gamma", "beta/über"):
        (home / "files" / name).mkdir(parents=True)
        for n in range(6):
            (home / "files" / name / f"file{n}.{['txt', 'py', 'tar.gz', 'sh', 'png', '漢'][n]}").write_text(
                "x" * n
            )
    (home / "files" / "alpha" / "file3.sh").chmod(0o755)
    (home / "files" / "link").symlink_to("alpha")
    _repository(home / "project")


def _repository(folder: Path) -> None:
    folder.mkdir()
    who = ("-c", "user.name=Demo", "-c", "user.email=demo@box", "-c", "init.defaultBranch=main")

    def git(*words: str, at: int = 0) -> None:
        date = f"2026-01-01T{at // 60 % 24:02d}:{at % 60:02d}:00Z"
        env = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(folder),
            "GIT_AUTHOR_DATE": date,
            "GIT_COMMITTER_DATE": date,
        }
        subprocess.run(["git", *who, *words], cwd=folder, env=env, check=True, capture_output=True)

    git("init")
    for n in range(24):
        if n == 10:
            git("checkout", "-b", "feature")
        if n == 16:
            git("checkout", "main")
        name = f"module{n % 4}{'_feature' if 10 <= n < 16 else ''}.py"
        changed = "\n".join(f"value_{k} = {k * (n if k % 3 == 0 else 1)}  # 漢字 {k}" for k in range(30))
        (folder / name).write_text(changed + "\n")
        git("add", "-A")
        git("commit", "-m", f"Change {n}: values of {name}\n\nA longer explanation of change {n}.", at=n)
    git("merge", "--no-edit", "feature", at=40)
    (folder / "module0.py").write_text("value_0 = 1\nadded = 'line'\n")
