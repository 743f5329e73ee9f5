"""Runs in a tmux pane for the oracle: writes byte files to the terminal and reports when tmux has parsed them.

Usage: feeder.py COMMANDS ACKS (two FIFOs). A line on COMMANDS is a file to write. `CSI 6 n` follows it, and
the answer proves that tmux has read everything before; a line on ACKS passes that on.
"""

import os
import re
import select
import sys
import tty

ANSWER = re.compile(rb"\x1b\[\d+;(\d+)R")
QUESTION = b"\x1b[6n"
PATIENCE = 5.0


def write(data: bytes) -> None:
    """All of `data` to the terminal."""
    view = memoryview(data)
    while view:
        view = view[os.write(1, view[:65536]) :]


def columns(count: int) -> list[int]:
    """The columns, from 1, in tmux's answers to `count` questions; fewer if it does not answer."""
    received = b""
    while len(ANSWER.findall(received)) < count and select.select([0], [], [], PATIENCE)[0]:
        received += os.read(0, 65536)
    return [int(column) for column in ANSWER.findall(received)]


def main() -> None:
    """Serve until COMMANDS is closed."""
    tty.setraw(0)
    with open(sys.argv[1]) as commands, open(sys.argv[2], "w") as acks:
        for line in commands:
            while select.select([0], [], [], 0)[0]:
                os.read(0, 65536)
            with open(line.rstrip("\n"), "rb") as file:
                data = file.read() + QUESTION
            write(data)
            count = data.count(QUESTION)
            answers = columns(count)
            acks.write(" ".join(map(str, answers if len(answers) == count else [])) + "\n")
            acks.flush()


main()
