# ruff: noqa: E501 - data, one thing a line
"""What is recorded: programs, and what a person does in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

Step = tuple[str, object]
"""(kind, data): `keys` names with optional `*count`, `type` text, `wait` text, `pause` seconds, `resize` size."""


def keys(names: str) -> Step:
    """Press named keys; `Down*3` is three times."""
    return "keys", names


def words(text: str) -> Step:
    """Type text."""
    return "type", text


def wait(text: str) -> Step:
    """Until the screen shows it."""
    return "wait", text


def pause(seconds: float) -> Step:
    """Let a program that moves by itself go on."""
    return "pause", seconds


def resize(columns: int, lines: int) -> Step:
    """Another size."""
    return "resize", (columns, lines)


@dataclass(frozen=True)
class Program:
    """One recording to make."""

    name: str
    command: str
    steps: tuple[Step, ...]
    columns: int = 80
    lines: int = 24
    needs: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    agent: str = ""
    """A runtime, or the name of an agent that `agents.py` knows how to start."""


def _agent(name: str, runtime: str, *steps: Step, columns: int = 100, lines: int = 30) -> Program:
    return Program(name, runtime, steps, columns, lines, agent=runtime)


def _shown(name: str, command: str, *, columns: int = 80, lines: int = 24, end: str = "the end") -> Program:
    """A program that prints and ends."""
    return Program(name, f"{command}; echo; echo the end; sleep 100", (wait(end),), columns, lines)


EDITORS: Final = (
    Program("vim", "vim queue_demo.py", (
        wait("Queue"), keys("C-f C-b j*3 w*4"), words("ohello = 'typed 漢字'"), keys("Escape"),
        words(":split text.txt"), keys("Enter"), words("/word27"), keys("Enter"), words("nnv10jd"), words("u"),
        resize(60, 18), resize(100, 30), words(":vsplit"), keys("Enter C-w w C-d C-e*3"), words(":only"),
        keys("Enter"), words(":%s/plain/changed/g"), keys("Enter"), words("gg:set list nowrap"), keys("Enter"),
        words("20l"), words(":help"), keys("Enter C-d"), words(":qa!"), keys("Enter"),
    ), 100, 30, ("vim",)),
    Program("vim_small", "vim text.txt", (
        wait("word1"), keys("G C-u"), words("ggO"), words("界界界 wide text here that is long enough to wrap around"),
        keys("Escape"), words("5Gdd3ppJ:set wrap"), keys("Enter"), words("i"), keys("BSpace*4 Left*3"), words("x"),
        keys("Escape"), words(":!ls"), keys("Enter"), wait("ENTER"), keys("Enter"), words(":q!"), keys("Enter"),
    ), 60, 15, ("vim",)),
    Program("neovim", "nvim --clean text.txt", (
        wait("word1"), keys("C-f C-b"), words(":set number termguicolors"), keys("Enter"), words("/word33"),
        keys("Enter"), words("vjjjd"), words("u"), words(":split queue_demo.py"), keys("Enter C-w w"), words("ihi漢"),
        keys("Escape"), resize(70, 20), words(":qa!"), keys("Enter"),
    ), 80, 24, ("nvim",)),
    Program("emacs", "emacs -nw -Q queue_demo.py", (
        wait("Queue"), keys("C-v M-v C-n*3 C-e Enter"), words("# typed 漢字"), keys("C-x 2 C-x o C-x C-f"),
        words("text.txt"), keys("Enter C-s"), words("word42"), keys("Enter C-x 3 C-x 1 M-x"), words("dired"),
        keys("Enter Enter C-n*3 C-x 1 C-x C-c"), words("n"), keys("C-g"), words("yes"), keys("Enter"),
    ), 80, 24, ("emacs",)),
    Program("nano", "nano text.txt", (
        wait("word1"), words("typed 漢字 "), keys("C-v C-y C-w"), words("word55"), keys("Enter C-k*2 C-u C-g"),
        pause(0.3), keys("C-x C-x"), words("n"),
    ), 80, 24, ("nano",)),
    Program("joe", "joe text.txt", (
        wait("word1"), words("typed"), keys("C-v C-u C-k"), words("f"), words("word31"), keys("Enter Enter C-k"),
        words("h"), pause(0.3), keys("C-c"), words("y"),
    ), 80, 24, ("joe",)),
)  # fmt: skip

PAGERS: Final = (
    Program("less", "less -R coloured.txt text.txt", (
        wait("colour"), keys("Space j*3 k b G"), words(":n"), keys("Space"), words("/word77"), keys("Enter n"), words("-S"),
        keys("Enter Right Left"), words("h"), wait("SUMMARY"), words("q"), words("?word1"), keys("Enter"),
        words("F"), pause(0.2), keys("C-c"), words("q"),
    ), 80, 24, ("less",)),
    Program("man", "man git-log || man tmux", (
        pause(1.0), keys("Space*2 b G g"), words("/commit"), keys("Enter n*2"), resize(60, 20), words("q"),
    ), 90, 28, ("man",)),
    _shown("gitlog", "git -C project log --graph --color=always -n 30 | cat"),
    Program("gitdiff", "git -C project log -p --color=always | less -R", (
        wait("commit"), keys("Space*3 b G k*5"), words("/feature"), keys("Enter"), words("q"),
    ), 100, 30, ("git",)),
    _shown("lscolor", "ls -R --color=always files; ls -la --color=always files /usr/bin | head -60", columns=100),
)  # fmt: skip

MONITORS: Final = (
    Program("htop", "sleep 500 & sleep 600 & exec htop -d 3", (
        wait("PID"), keys("Down*3 F6"), pause(0.3), keys("Down Enter F5"), pause(0.5), keys("F2"), pause(0.3),
        keys("Down*2 Right Escape F3"), words("sleep"), keys("Enter F1"), pause(0.3), words("q"), pause(0.3),
        resize(60, 16), words("q"),
    ), 80, 24, ("htop",)),
    Program("top", "sleep 500 & exec top -d 0.4", (
        wait("PID"), pause(0.8), words("1"), pause(0.5), words("zxc"), pause(0.5), words("h"), keys("Escape"),
        words("q"),
    ), 80, 24, ("top",)),
    Program("btop", "btop --utf-force", (
        wait("cpu"), pause(1.2), keys("Down*2"), words("m"), pause(0.4), keys("Escape"), words("2"), pause(0.6),
        words("q"),
    ), 100, 30, ("btop",)),
    Program("watch", "watch -n 0.3 -c 'date -d @0; seq 20; ls --color=always files/alpha'", (
        wait("20"), pause(1.0), resize(50, 14), pause(0.5), keys("C-c"),
    ), 80, 24, ("watch",)),
)  # fmt: skip

FILES: Final = (
    Program("mc", "mc -u files project", (
        wait("alpha"), keys("Down*3 Enter Tab F9"), pause(0.3), keys("Right Down*3 Escape Escape F7"), words("newdir"),
        keys("Enter Tab Home Down F3"), pause(0.3), keys("F10 F1"), pause(0.3), keys("F10 C-o"), pause(0.3),
        keys("C-o"), resize(60, 18), keys("F10 Enter"),
    ), 90, 28, ("mc",)),
    Program("calcurse", "calcurse -D .cal -n; calcurse -D .cal", (
        pause(0.6), keys("Enter"), words("a"), words("12:00"), keys("Enter Enter"), words("meet 漢"), keys("Enter Tab"),
        resize(64, 20), words("?"), keys("q"), resize(100, 30), words("q"), words("y"),
    ), 80, 24, ("calcurse",)),
    Program("ncdu", "ncdu files", (wait("Total"), keys("Down*2 Enter"), words("i"), words("?"), words("q"), words("q")),
            80, 24, ("ncdu",)),
    Program("tig", "cd project && tig", (
        wait("Change"), keys("Down*4 Enter"), pause(0.3), keys("Space Tab"), words("q"), words("t"), pause(0.3),
        keys("Enter"), words("s"), pause(0.3), words("h"), pause(0.2), words("Q"),
    ), 100, 30, ("tig",)),
    Program("fzf", "find files project -type f | grep -v git/ | fzf --multi --preview 'cat {}' --border", (
        wait(">"), words("mod"), keys("Up*3 Tab Up Tab BSpace*3"), words("漢"), keys("C-u"), words("file3 !py"), keys("Enter"),
    ), 80, 24, ("fzf",)),
    Program("fzf_inline", "while true; do seq 200 | fzf --height=40% --reverse; done", (
        wait("200/200"), words("12"), keys("Down*2 Enter"), words("7"), keys("C-c C-c"),
    ), 70, 20, ("fzf",)),
)  # fmt: skip

DIALOGS: Final = (
    Program("dialog", "dialog --backtitle demo --checklist Choose 15 50 6 a Alpha on b Beta off c 漢字 on d Delta off"
            " 2>/dev/null; dialog --inputbox Name 10 40; dialog --yesno 'Go on?' 8 30; dialog --textbox text.txt 20 70", (
        wait("Choose"), keys("Down Space Down Tab Enter"), wait("Name"), words("hello é"), keys("Tab Enter"),
        wait("Go on"), keys("Right Left Enter"), wait("word1"), keys("PageDown Down*2 Enter"),
    ), 80, 24, ("dialog",)),
    Program("dialog_gauge", "for n in $(seq 0 4 100); do echo $n; sleep 0.03; done | dialog --gauge Working 8 50;"
            " dialog --calendar Day 3 40 1 1 2026; dialog --menu Pick 15 40 5 1 one 2 two 3 three", (
        wait("January"), keys("Tab Right Down Enter"), wait("Pick"), keys("Down*2 Enter"),
    ), 80, 24, ("dialog",)),
    Program("whiptail", "whiptail --title demo --menu Choose 15 50 5 a Alpha b Beta c 漢字; whiptail --inputbox Name 10 40;"
            " for n in 10 40 70 100; do echo $n; sleep 0.1; done | whiptail --gauge Working 8 50 0", (
        wait("Choose"), keys("Down*2 Tab Enter"), wait("Name"), words("hello"), keys("Enter"), pause(0.8),
    ), 80, 24, ("whiptail",)),
)  # fmt: skip

SHELLS: Final = (
    Program("bash", "bash", (
        wait("$"), words("ls --color files"), keys("Enter"), words("echo 漢字 é; printf '\\e[1;31mred\\e[0m\\n'"),
        keys("Enter Up Up C-a"), words("x"), keys("C-k C-r"), words("ec"), keys("Escape C-u"), words("cat te"),
        keys("Tab Enter"), words("seq 60"), keys("Enter"), words("a long command line that goes on " * 4), keys("C-w*3 C-c"),
        resize(60, 16), words("clear"), keys("Enter"), words("sleep 100"), keys("Enter C-c"), words("ls fi"), keys("Tab*3 C-c"),
        words("head -50 text.txt"), keys("Enter"), resize(100, 30), words("exit"), keys("Enter"),
    ), 80, 24, ("bash",)),
    Program("python_repl", "python3 -q", (
        wait(">>>"), words("for n in range(30): print('line', n, '漢' * n)"), keys("Enter Enter"), words("1/0"),
        keys("Enter"), words("help(len)"), keys("Enter q"), words("import sys; sys.ve"), keys("Tab*2 C-c Up Up C-a"), words("x"),
        keys("C-d C-c C-d"),
    ), 80, 24, ("python3",)),
    Program("gdb", "gdb -q -nh", (
        wait("(gdb)"), words("help"), keys("Enter"), words("info li"), keys("Tab Tab C-c"), words("layout src"), keys("Enter"),
        words("tui disable"), keys("Enter"), words("quit"), keys("Enter"),
    ), 80, 24, ("gdb",)),
    Program("tmux", "tmux -f /dev/null new-session -n win bash", (
        wait("win"), words("seq 40"), keys("Enter C-b %"), words("ls --color files"), keys('Enter C-b "'),
        words("echo 漢字"), keys("Enter C-b z C-b z C-b ["), keys("PageUp Up*3 q C-b c"), words("vim text.txt"),
        keys("Enter"), pause(0.5), keys("C-d C-b p C-b w"), pause(0.4), keys("Escape"), resize(70, 20), keys("C-b o C-b d"),
    ), 100, 30, ("tmux",)),
    Program("screen", "screen -c /dev/null bash", (
        wait("$"), words("seq 30"), keys("Enter C-a c"), words("ls --color files"), keys("Enter C-a S C-a Tab C-a c"),
        words("echo 漢字"), keys("Enter C-a w C-a ["), keys("C-b Escape C-a X"), words("exit"), keys("Enter"),
    ), 80, 24, ("screen",), {"SCREENDIR": "/home/demo/.screen"}),
)  # fmt: skip

OUTPUT: Final = (
    _shown("rich", "python rich_demo.py", columns=90, lines=28),
    _shown("unicode", "python -X utf8 unicode_demo.py"),
    _shown("cjk", "cat text.txt"),
    _shown("colours", "python colours.py"),
    Program("textual", "python textual_demo.py", (
        wait("worker-9"), pause(0.5), keys("Down*4 PageDown End Home"), words("d"), pause(0.4), keys("Tab"), words("abc 漢"),
        resize(70, 20), pause(0.4), keys("C-q"),
    ), 90, 28),
    Program("pip", "python3 -m venv --without-pip env; python -m pip --no-cache-dir install --target t rich pyte && echo the end;"
            " sleep 100", (wait("the end"),), 80, 24, ()),
    Program("npm", "mkdir n; cd n; npm init -y | head -5; npm install --no-audit --no-fund chalk ora; npm ls; npm help;"
            " echo the end; sleep 100", (wait("the end"),), 80, 24, ("npm",), {"NPM_CONFIG_PROGRESS": "true"}),
    Program("cmatrix", "cmatrix -u 2", (pause(1.2), keys("C-c")), 60, 20, ("cmatrix",)),
    Program("lynx", "lynx -nopause file:///usr/share/doc/", (pause(0.8), keys("Down*4 Space Space b"), words("h"), keys("Left"), words("q"), words("y")),
            80, 24, ("lynx",)),
    Program("apt", "apt-cache search ^tmux --color=always 2>/dev/null; dpkg -l 'python3*' | head -60; echo the end; sleep 100",
            (wait("the end"),), 100, 24, ("dpkg",)),
)  # fmt: skip

PROMPT: Final = "please write the proof file"
AGENTS: Final = (
    _agent("claude", "claude", pause(3.0), words(PROMPT), keys("Enter"), wait("proceed"), keys("Down Up Enter"),
           wait("Done: proof"), pause(0.5), words("/"), pause(0.4), keys("Escape C-u"), resize(70, 20), resize(120, 40),
           resize(100, 30), words("?"), pause(0.3), keys("BSpace"), words("multi 漢字 line"), keys("M-Enter"),
           words("second"), keys("C-u BSpace C-u C-o"), pause(0.4), keys("C-o"), words("/exit"), keys("Enter"), pause(1.0)),
    _agent("codex", "codex", pause(3.0), words(PROMPT), keys("Enter"), pause(3.0), keys("Enter"), wait("Done: proof"),
           words("/"), pause(0.4), keys("Down*2 Escape C-u"), resize(70, 20), resize(120, 40), resize(100, 30),
           words("typed 漢字"), keys("C-j"), words("second"), keys("C-t"), pause(0.4), keys("q"), keys("C-u C-c C-c"), pause(0.6)),
    _agent("hermes", "hermes", pause(8.0), words(PROMPT), keys("Enter"), pause(4.0), keys("Enter"), pause(3.0),
           words("/"), pause(0.4), keys("C-u"), resize(70, 20), resize(100, 30), words("/quit"), keys("Enter"), pause(1.0)),
    _agent("openclaw", "openclaw", wait("agent main"), pause(4.0), words(PROMPT), keys("Enter"), pause(6.0), words("/"), pause(0.4),
           keys("Escape C-u"), resize(70, 20), resize(100, 30), words("/exit"), keys("Enter"), pause(1.0)),
)  # fmt: skip

PROGRAMS: Final = EDITORS + PAGERS + MONITORS + FILES + DIALOGS + SHELLS + OUTPUT + AGENTS
"""All of them."""
