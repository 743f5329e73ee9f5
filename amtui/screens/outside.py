"""What leaves amtui for the person's own computer: the clipboard, and a browser. Both run without a shell.

Nothing here is ever asked for by a worker: a person copies and opens.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Mapping
from typing import Final

OSC52_BYTES: Final = 74_994
"""What terminals take through OSC 52 at most, in bytes of text."""
PATIENCE: Final = 3.0
"""Seconds for a clipboard program; it has nothing to wait for."""
_X11: Final = (("xclip", "-selection", "clipboard", "-in"), ("xsel", "--clipboard", "--input"))
_OPENERS: Final = (("xdg-open",), ("gio", "open"), ("wslview",))


def _remote(env: Mapping[str, str]) -> bool:
    """amtui itself runs in an SSH session: this computer's screen is not the person's."""
    return bool(env.get("SSH_CONNECTION") or env.get("SSH_TTY"))


def _found(commands: tuple[tuple[str, ...], ...], env: Mapping[str, str]) -> tuple[str, ...]:
    for name, *rest in commands:
        if program := shutil.which(name, path=env.get("PATH")):
            return (program, *rest)
    return ()


def clipboard_command(env: Mapping[str, str], platform: str = sys.platform) -> tuple[str, ...]:
    """The program that takes text for this computer's clipboard on its input; empty where there is none."""
    if platform == "darwin":
        return () if _remote(env) else _found((("pbcopy",),), env)
    if env.get("WAYLAND_DISPLAY") and (command := _found((("wl-copy",),), env)):
        return command
    return _found(_X11, env) if env.get("DISPLAY") else ()


def browser_command(env: Mapping[str, str], platform: str = sys.platform) -> tuple[str, ...]:
    """The program that opens an address on this computer; empty without a screen to show it on.

    A browser on an SSH host would open where nobody looks, and one for terminals would take this terminal.
    """
    if _remote(env):
        return ()
    if platform == "darwin":
        return _found((("open",),), env)
    return _found(_OPENERS, env) if env.get("DISPLAY") or env.get("WAYLAND_DISPLAY") else ()


def for_osc52(text: str) -> str:
    """As much of the text as a terminal takes."""
    data = text.encode("utf-8", "replace")
    return text if len(data) <= OSC52_BYTES else data[:OSC52_BYTES].decode("utf-8", "ignore")


async def _run(command: tuple[str, ...], data: bytes | None, timeout: float) -> bool:
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL if data is None else asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,  # xclip stays behind and would hold a pipe open
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # it may outlive amtui
        )
    except OSError:
        return False
    try:
        async with asyncio.timeout(timeout):
            await process.communicate(data)
    except TimeoutError:
        if data is None:
            return True  # a browser that stays in the foreground
        process.kill()
        await process.wait()
        return False
    return process.returncode == 0


async def copy(text: str, command: tuple[str, ...]) -> bool:
    """Give text to a clipboard program; False when it failed."""
    return await _run(command, text.encode("utf-8", "replace"), PATIENCE)


async def open_address(address: str, command: tuple[str, ...]) -> bool:
    """Open an address that `emulator.links.target` has checked; False when the program failed at once."""
    return await _run((*command, address), None, PATIENCE)


def environment() -> Mapping[str, str]:
    """This process's."""
    return os.environ
