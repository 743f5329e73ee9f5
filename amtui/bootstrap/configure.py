"""The settings of a worker: merged user files, the 0600 env file with its secrets, the 0700 launchers.

Everything travels over stdin, never in an argument. User files are merged by the runtime's own rule; a link
anywhere on the way to one is refused, because following it would copy files of somebody else into the worker's
home or our settings out of it. `remote/settings.sh` looks and acts in one, for the agent may be alive.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files as resources
from shlex import quote
from typing import Final, TypeAlias

from amtui.bootstrap.jobs import failure
from amtui.errors import NotFound, Refused
from amtui.providers.base import Command, Place
from amtui.runtimes.base import FileEdit, Launch, Runtime, Setup
from amtui.runtimes.launch import render

Confine: TypeAlias = Callable[[Sequence[str]], Sequence[str]]

RESUME: Final = "resume"
"""Name in `etc/` of the launcher that takes up the agent's last session; `launch resume` becomes it."""
SHELL: Final = "shell"
"""Name in `etc/` of the launcher of a shell in a further console."""
LIMIT: Final = 16 << 20
"""Largest settings file, in bytes, that is merged."""
_LINK, _ABSENT, _NO_FILE = 40, 44, 46


@cache
def _script() -> str:
    return resources("amtui.bootstrap").joinpath("remote/settings.sh").read_text("utf-8")


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
            present = await self._present(edit)
            if present is None or edit.merge(present) != present:
                return False
        return True

    async def apply(self, say: Callable[[str], None]) -> None:
        """Merge and write. Raises `Refused` for a link or what is no file, `DiskFull`, `Unreachable`."""
        place = self.setup.place
        files, host = place.provider.files, place.host_id
        for edit in self.runtime.edits(self.setup):
            present = await self._present(edit)
            merged = edit.merge(present)
            if merged != present:
                await self._file("write", edit, f"{edit.mode:o}", str(len(merged)), stdin=merged)
                say(f"{'merged' if present is not None else 'wrote'} ~/{edit.path}")
        for path, wanted, mode in self._ours():
            await files.write(host, path, wanted, mode=mode)
        say("wrote the launcher and its environment")

    async def shell(self, argv: Sequence[str]) -> str:
        """Write the launcher of a shell beside the agent; where it is.

        It has the environment that the agent was started with, its directory, its PATH and its confinement.
        Raises what writing raises.
        """
        place = self.setup.place
        launch = replace(self.runtime.launch(self.setup), argv=tuple(argv), env={}, secrets={})
        path = f"{place.etc}/{SHELL}"
        script = render(self.setup, self._confined(launch)).script
        await place.provider.files.write(place.host_id, path, script, mode=0o700)
        return path

    def _ours(self) -> tuple[tuple[str, bytes, int], ...]:
        """Files that are amtui's own: path, content, mode."""
        setup, etc = self.setup, self.setup.place.etc
        launch, resume = self.runtime.launch(setup), self.runtime.launch(setup, resume=True)
        try:
            # One environment for both launchers: what only one of them knows does not hurt the other.
            shared = replace(
                launch, env={**resume.env, **launch.env}, secrets={**resume.secrets, **launch.secrets}
            )
            files = render(setup, self._confined(shared))
            again = render(setup, self._confined(resume))
        except ValueError as error:
            raise Refused(f"the settings of {setup.worker.name} cannot be launched: {error}") from None
        return (
            (files.env_path, files.env, files.env_mode),
            (files.script_path, _with_resume(files.script, f"{etc}/{RESUME}"), files.script_mode),
            (f"{etc}/{RESUME}", again.script, again.script_mode),
        )

    def _confined(self, launch: Launch) -> Launch:
        return replace(launch, argv=tuple(self.confine(launch.argv))) if self.confine else launch

    async def _present(self, edit: FileEdit) -> bytes | None:
        """What the file holds now; None where there is none."""
        found = await self._file("read", edit, str(LIMIT + 1))
        if found is not None and len(found) > LIMIT:
            raise Refused(
                f"~/{edit.path} of {self.setup.worker.name} is larger than {LIMIT >> 20} MB",
                "move it away, then bootstrap again",
            )
        return found

    async def _file(self, verb: str, edit: FileEdit, *words: str, stdin: bytes = b"") -> bytes | None:
        """Read or write one file, where the agent is confined inside its confinement; None: not there."""
        place = self.setup.place
        if any(part in ("", ".", "..") for part in edit.path.split("/")):
            raise Refused(f"the runtime names a strange file: {edit.path}")
        argv: Sequence[str] = ["/bin/sh", "-c", _script(), "sh", verb, place.home, edit.path, *words]
        if self.confine is not None:
            argv = self.confine(argv)
        command = Command(argv=argv, stdin=stdin, env={"HOME": place.home}, max_output=LIMIT + (1 << 16))
        done = await place.provider.exec(place.host_id, command)
        if done.exit_code == _ABSENT:
            return None
        if done.exit_code in (_LINK, _NO_FILE):
            what = "is a link or lies behind one" if done.exit_code == _LINK else "is not a regular file"
            raise Refused(
                f"{place.home}/{edit.path} {what}, and settings are neither read nor written there",
                "put the file itself in its place, then bootstrap again",
            )
        if not done.ok:
            raise failure(place, done, f"could not {verb} ~/{edit.path} of {self.setup.worker.name}")
        return done.stdout


def _with_resume(script: bytes, resume: str) -> bytes:
    """The launcher that hands over to the other one when its first word is `resume`."""
    head, _, rest = script.partition(b"\n")
    return head + f'\n[ "${{1-}}" != resume ] || exec {quote(resume)}\n'.encode() + rest


async def _read(place: Place, path: str) -> bytes | None:
    try:
        return await place.provider.files.read(place.host_id, path)
    except NotFound:
        return None


async def _mode(place: Place, path: str) -> int:
    return (await place.provider.files.stat(place.host_id, path)).mode
