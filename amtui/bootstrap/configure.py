"""The settings of a worker: merged user files, the 0600 env file with its secrets, the 0700 launchers.

Everything travels over the provider's file interface, never in an argument. User files are merged by the
runtime's own rule; a link anywhere on the way to one is refused, because following it would copy files of
somebody else into the worker's home or our settings out of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from shlex import quote
from typing import Final, TypeAlias

from amtui.errors import NotFound, Refused
from amtui.providers.base import Place
from amtui.runtimes.base import FileEdit, Launch, Runtime, Setup
from amtui.runtimes.launch import render

Confine: TypeAlias = Callable[[Sequence[str]], Sequence[str]]

RESUME: Final = "resume"
"""Name in `etc/` of the launcher that takes up the agent's last session; `launch resume` becomes it."""


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
