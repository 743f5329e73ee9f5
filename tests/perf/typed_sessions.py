"""People who type, made from a seed: what they press and how long they wait, for `record_typed.py` to record.

They make mistakes and take them back, go left and right, complete with Tab, give up with ctrl-c, edit in vim, write to
agents, and give passwords that are not echoed. A key is (seconds before it, bytes, whether it is secret).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

BACK, LEFT, RIGHT, ENTER, TAB, ESCAPE = b"\x7f", b"\x1b[D", b"\x1b[C", b"\r", b"\t", b"\x1b"
CTRL_A, CTRL_C, CTRL_E, CTRL_L, CTRL_R, CTRL_U, CTRL_W = (
    b"\x01",
    b"\x03",
    b"\x05",
    b"\x0c",
    b"\x12",
    b"\x15",
    b"\x17",
)
UP, DOWN, END = b"\x1b[A", b"\x1b[B", b"\x1b[F"


class Press(NamedTuple):
    """One key."""

    gap: float
    data: bytes
    secret: bool = False


WORDS: Final = (
    "please look at the parser and tell me why it drops the last line when the file has no newline at its end "
    "then add a small test for this case and run all tests again we should also keep the old name as an alias "
    "because other people use it do not change the public interface without asking me first thanks"
).split()
COMMANDS: Final = (
    "ls -la", "cat text.txt", "grep -n word7 text.txt", "echo 'hello there' | wc -c", "cd /tmp && pwd", "cd -",
    "git log --oneline", "for i in 1 2 3; do echo $i; done", "python3 -c 'print(6 * 7)'", "clear", "date -u",
    "printf '%s\\n' one two three", "head -n 40 text.txt", "true && echo yes || echo no", "wc -l text.txt",
)  # fmt: skip


class Person:
    """Somebody with habits of their own."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.pace = self.chance.uniform(0.07, 0.2)
        """Seconds between two keys in the middle."""
        self.slips = self.chance.uniform(0.01, 0.06)

    def gap(self) -> float:
        """Before the next key of a word."""
        return min(0.9, max(0.025, self.chance.lognormvariate(0, 0.45) * self.pace))

    def think(self, low: float = 0.35, high: float = 1.3) -> float:
        return self.chance.uniform(low, high)

    def key(self, data: bytes, gap: float | None = None) -> Press:
        return Press(self.gap() if gap is None else gap, data)

    def words(self, text: str) -> Iterator[Press]:
        """`text`, with slips that are taken back sooner or later."""
        for char in text:
            if char.isalpha() and self.chance.random() < self.slips:
                yield self.key(self.chance.choice("aeinorstx").encode())
                if self.chance.random() < 0.6:
                    yield self.key(BACK, self.think(0.1, 0.4))
                    yield self.key(char.encode())
                else:
                    yield from self._late(char)
                continue
            yield self.key(char.encode())

    def _late(self, char: str) -> Iterator[Press]:
        """The slip is seen one key later."""
        yield self.key(b"e")
        yield self.key(BACK, self.think(0.1, 0.4))
        yield self.key(BACK, 0.09)
        yield self.key(char.encode())

    def sentence(self, low: int = 4, high: int = 12) -> str:
        start = self.chance.randrange(len(WORDS) - high)
        return " ".join(WORDS[start : start + self.chance.randint(low, high)])

    def mend(self) -> Iterator[Press]:
        """Some way left, a letter put in, and back."""
        steps = self.chance.randint(2, 7)
        yield self.key(LEFT, self.think())
        for _ in range(steps - 1):
            yield self.key(LEFT, self.chance.uniform(0.05, 0.12))
        for char in self.chance.choice(("x", "no ", "s", "very ")):
            yield self.key(char.encode())
        if self.chance.random() < 0.5:
            yield self.key(BACK)
        for _ in range(steps):
            yield self.key(RIGHT, self.chance.uniform(0.05, 0.12))

    # ---- what they do

    def shell(self) -> Iterator[Press]:
        """Commands at a prompt, some given up, some completed, some from the history."""
        for turn in range(7):
            yield self.key(b"", self.think())
            habit = self.chance.random()
            if turn % 7 == 3:
                yield from self.words("ls te")
                yield self.key(TAB, self.think(0.1, 0.3))
                yield self.key(ENTER, self.think())
                continue
            yield from self.words(self.chance.choice(COMMANDS))
            if habit < 0.2:
                yield from self.mend()
            elif habit < 0.35:
                yield self.key(CTRL_C, self.think())
                continue
            elif habit < 0.45:
                yield self.key(CTRL_A, self.think(0.2, 0.5))
                yield from self.words("time ")
                yield self.key(CTRL_E)
            elif habit < 0.55:
                yield self.key(CTRL_W, self.think())
                yield from self.words("again")
            yield self.key(ENTER)
            if self.chance.random() < 0.25:
                yield self.key(UP, self.think())
                yield self.key(ENTER, self.think())

    def password(self) -> Iterator[Press]:
        """Passwords at prompts that echo nothing, after a wait, without one, or with a mistake."""
        for turn in range(4):
            yield self.key(b"", self.think())
            ask = self.chance.choice(("read -s -p 'Password: ' P; echo", "./login", "./login --name demo"))
            yield from self.words(ask)
            yield self.key(ENTER)
            gap = (0.7, 0.25, 0.03)[turn % 3]
            for number, char in enumerate(
                self.chance.choice(("Tr0ub4dor&3", "correct horse battery", "s3cret:word "))
            ):
                yield Press(gap if not number else self.gap(), char.encode(), True)
                if self.chance.random() < 0.05:
                    yield Press(self.gap(), b"q", True)
                    yield Press(self.gap(), BACK, True)
            yield self.key(ENTER, self.think(0.1, 0.3))
            if self.chance.random() < 0.5:
                yield from self.words("echo $?")
                yield self.key(ENTER)

    def vim(self) -> Iterator[Press]:
        """Insert, move, change, search, command line."""
        for _ in range(5):
            yield self.key(b"", self.think())
            habit = self.chance.choice(("open", "append", "move", "search", "change", "command", "insert"))
            if habit in ("open", "append", "insert"):
                yield self.key({"open": b"o", "append": b"A", "insert": b"i"}[habit])
                yield from self.words(self.sentence(3, 7))
                if self.chance.random() < 0.4:
                    yield self.key(ENTER)
                    yield from self.words(self.sentence(2, 4))
                if self.chance.random() < 0.3:
                    yield from self.mend()
                yield self.key(ESCAPE)
            elif habit == "move":
                for char in self.chance.choice(("jjjwwl", "5jllllx", "ddp", "wbbhhl", "yyP", "gg", "~~~l")):
                    yield self.key(char.encode())
            elif habit == "search":
                yield from self.words(self.chance.choice(("/word2", "/line", "/text")))
                yield self.key(ENTER)
                yield from self.words("nn")
            elif habit == "change":
                yield from self.words("cw")
                yield from self.words(self.sentence(1, 2))
                yield self.key(ESCAPE)
            else:
                yield from self.words(self.chance.choice((":set number", ":set nonumber", ":s/word/work/")))
                yield self.key(ENTER)

    def agent(self) -> Iterator[Press]:
        """Messages to an agent, long ones that wrap among them; some given up; a menu opened and left."""
        for turn in range(3):
            yield self.key(b"", self.think(0.6, 1.4))
            if turn == 1 and self.chance.random() < 0.6:
                yield from self.words("/he")
                yield self.key(BACK, self.think())
                yield self.key(BACK)
                yield self.key(BACK)
            yield from self.words(self.sentence(4, 22 if turn == 2 else 9))
            habit = self.chance.random()
            if habit < 0.3:
                yield from self.mend()
            elif habit < 0.45:
                yield self.key(CTRL_U, self.think())
                yield from self.words(self.sentence(2, 4))
            yield self.key(ENTER, self.think())
            yield self.key(b"", self.think(1.5, 2.5))


KINDS: Final[dict[str, Callable[[Person], Iterator[Press]]]] = {
    "shell": Person.shell, "password": Person.password, "vim": Person.vim,
    "claude": Person.agent, "codex": Person.agent,
}  # fmt: skip
COUNTS: Final = {"shell": 7, "password": 4, "vim": 6, "claude": 4, "codex": 4}
"""Sessions of each kind."""


def script(kind: str, number: int) -> list[Press]:
    """What the person of that number presses; pauses are merged into the key behind them."""
    presses: list[Press] = []
    pause = 0.0
    for press in KINDS[kind](Person(1000 * list(KINDS).index(kind) + number)):
        if not press.data:
            pause += press.gap
        else:
            presses.append(press._replace(gap=round(press.gap + pause, 4)))
            pause = 0.0
    return presses
