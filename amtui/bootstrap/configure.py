"""The settings of a worker: merged user files, the 0600 env file with its secrets, the 0700 launcher.

Everything travels over the provider's file interface, never in an argument. User files are merged by the
runtime's own rule; a link anywhere on the way to one is refused, because following it would copy files of
somebody else into the worker's home or our settings out of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from shlex import quote
from typing import Final, TypeAlias

from amtui.errors import NotFound, Refused
from amtui.providers.base import Place
from amtui.runtimes.base import FileEdit, Launch, Runtime, Setup

Confine: TypeAlias = Callable[[Sequence[str]], Sequence[str]]
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the `configure` phase makes true."""

    setup: Setup
    runtime: Runtime
    confine: Confine | None = None

    async def check(self) -> bool:
        """Everything stands as it should, byte for byte and with its mode."""
        for path, wanted, mode in self._ours():
            if await _read(self.setup.place, path) != wanted or await _mode(self.setup.place, path) != mode:
                return False
        for edit in self.runtime.edits(self.setup):
            path = await self._guarded(edit)
            present = await _read(self.setup.place, path)
            if present is None or edit.merge(present) != present:
                return False
        return True

    async def apply(self, say: Callable[[str], None]) -> None:
        """Merge and write. Raises `Refused` for a link, `DiskFull`, `Unreachable`."""
        place = self.setup.place
        files, host = place.provider.files, place.host_id
        for edit in self.runtime.edits(self.setup):
            path = await self._guarded(edit)
            present = await _read(place, path)
            merged = edit.merge(present)
            if merged != present:
                await files.mkdir(host, path.rpartition("/")[0])
                await files.write(host, path, merged, mode=edit.mode)
                say(f"{'merged' if present is not None else 'wrote'} ~/{edit.path}")
        for path, wanted, mode in self._ours():
            await files.write(host, path, wanted, mode=mode)
        say("wrote the launcher and its environment")

    def _ours(self) -> tuple[tuple[str, bytes, int], ...]:
        """Files that are amtui's own: path, content, mode."""
        launch = self.runtime.launch(self.setup)
        resume = self.runtime.launch(self.setup, resume=True)
        etc = self.setup.place.etc
        return (
            (f"{etc}/env", environment({**launch.secrets, **resume.secrets}), 0o600),
            (f"{etc}/launch", launcher(self.setup, launch, resume, self.confine), 0o700),
        )

    async def _guarded(self, edit: FileEdit) -> str:
        """Absolute path of the file; refuses a link on the way."""
        parts = edit.path.split("/")
        if any(part in ("", ".", "..") for part in parts):
            raise Refused(f"the runtime names a strange file: {edit.path}")
        path = self.setup.place.home
        for part in parts:
            path += f"/{part}"
            try:
                found = await self.setup.place.provider.files.stat(self.setup.place.host_id, path)
            except NotFound:
                continue
            if found.kind == "link":
                raise Refused(
                    f"{path} is a link, and settings are not written through links",
                    "replace it by the file itself, then bootstrap again",
                )
        return path


async def _read(place: Place, path: str) -> bytes | None:
    try:
        return await place.provider.files.read(place.host_id, path)
    except NotFound:
        return None


async def _mode(place: Place, path: str) -> int:
    return (await place.provider.files.stat(place.host_id, path)).mode


def environment(secrets: Mapping[str, str]) -> bytes:
    """The env file: `NAME='value'` lines for a shell to read."""
    return "".join(f"{_name(name)}={quote(value)}\n" for name, value in sorted(secrets.items())).encode()


def launcher(setup: Setup, launch: Launch, resume: Launch, confine: Confine | None) -> bytes:
    """What tmux runs: reads the env file, then becomes the agent; `resume` as first word resumes."""
    place = setup.place

    def line(one: Launch) -> str:
        argv = confine(one.argv) if confine else one.argv
        exports = "".join(f"export {_name(name)}={quote(value)}; " for name, value in sorted(one.env.items()))
        path = "".join(f"{quote(directory)}:" for directory in one.path)
        return f'PATH={path}"$PATH"; {exports}exec {" ".join(map(quote, argv))}'

    return f"""\
#!/bin/sh
# Starts the agent of {setup.worker.name}; with `resume`, in its last session. Written by amtui.
set -a
. {quote(place.etc + "/env")}
set +a
HOME={quote(place.home)}
PATH="$HOME/.local/bin:"{quote(place.bin)}":$PATH"
export HOME PATH
cd {quote(setup.workdir)} || exit 1
case ${{1-}} in
resume) {line(resume)} ;;
*) {line(launch)} ;;
esac
""".encode()


def _name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise Refused(f"{name[:40]!r} cannot be the name of an environment variable")
    return name
