"""Runs in a tmux pane: writes what it is told to the terminal, and reports the bytes of keys up to a mark, in hex.

Usage: keyreader.py COMMANDS ACKS. A line on COMMANDS is hex to write to the terminal.
"""

import os
import sys
import tty

MARK = b"~end~"


def main() -> None:
    """Serve until COMMANDS is closed."""
    tty.setraw(0)
    with open(sys.argv[1]) as commands, open(sys.argv[2], "w") as acks:
        for line in commands:
            os.write(1, bytes.fromhex(line) + b"\x1b[6n")
            received = b""
            while not received.endswith(b"R"):
                received += os.read(0, 1)
            acks.write("ready\n")
            acks.flush()
            received = b""
            while not received.endswith(MARK):
                received += os.read(0, 1)
            acks.write(received[: -len(MARK)].hex() + "\n")
            acks.flush()


main()
