"""Runs in a pane: writes what it is told to its terminal, and hands on every byte it receives.

Usage: keyrelay.py COMMANDS RECEIVED, two FIFOs. A line on COMMANDS is hex to write to the terminal. Ends with COMMANDS.
"""

import os
import select
import sys
import tty


def main() -> None:
    """Serve until COMMANDS is closed."""
    tty.setraw(0)
    received = os.open(sys.argv[2], os.O_WRONLY)
    commands = os.open(sys.argv[1], os.O_RDONLY)
    line = b""
    os.write(1, b"relay")
    while True:
        readable = select.select([0, commands], [], [])[0]
        if commands in readable:
            data = os.read(commands, 65536)
            if not data:
                return
            *whole, line = (line + data).split(b"\n")
            for each in whole:
                os.write(1, bytes.fromhex(each.decode()))
        if 0 in readable:
            data = os.read(0, 65536)
            if not data:
                return
            os.write(received, data)


main()
