"""Reading, checking and changing `config.toml`."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from amtui.config import check, registry
from amtui.config.check import Problem
from amtui.config.lines import locate
from amtui.config.paths import Paths, private_directory
from amtui.errors import ConfigError
from amtui.model import plain

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

T = TypeVar("T")

_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)\Z")


class Config:
    """What the user configured. A section that is absent holds its defaults."""

    def __init__(
        self,
        document: dict[str, Any] | None = None,
        *,
        file: Path | None = None,
        text: str = "",
        lenient: bool = False,
    ) -> None:
        self.document = document or {}
        self.file = file or Path("config.toml")
        self._text = text
        self._lenient = lenient
        self._parsed: dict[str, Any] = {}

    def section(self, name: str, type_: Callable[..., T]) -> T:
        """The section `name` as `type_`, the type that its package registered. Raises `ConfigError`."""
        registry.register(name, type_)
        if name not in self._parsed:
            raw = self.document.get(name, {})
            found = check.examine(raw, type_, (name,))
            if found and self._lenient:
                raw = {}
            else:
                _refuse(self.file, _place(self.file, self._text, found))
            self._parsed[name] = msgspec.convert(raw, type_, strict=True)
        parsed: T = self._parsed[name]
        return parsed

    def effective(self) -> dict[str, Any]:
        """Every section known in this process with its defaults filled in, as plain data for JSON."""
        types = registry.registered()
        return {name: msgspec.to_builtins(self.section(name, types[name])) for name in sorted(types)}


class _Unreadable(ConfigError):
    def __init__(self, problem: Problem, hint: str) -> None:
        super().__init__(str(problem), hint)
        self.problem = problem


def load(paths: Paths, *, lenient: bool = False) -> Config:
    """The configuration of this user; no file means all defaults.

    `lenient` is for what must work on a broken file to mend it (`config validate`, `config path`, `doctor`): a
    section with a mistake counts as absent, and nothing is raised.

    Raises `ConfigError` for the first problem, naming file, line, key and the nearest valid name; `problems`
    lists all of them.
    """
    file = paths.config_file
    try:
        text = _read(file)
    except ConfigError:
        if not lenient:
            raise
        return Config(file=file, lenient=True)
    if text is None:
        return Config(file=file)
    found = examine(file, text)
    if not lenient:
        _refuse(file, found)
    wrong = {problem.section for problem in found}
    readable = {} if "" in wrong else tomllib.loads(text)
    document = {name: value for name, value in readable.items() if name not in wrong}
    return Config(document, file=file, text=text, lenient=lenient)


def problems(paths: Paths) -> list[Problem]:
    """Everything that is wrong in the file, in the order of its lines; empty when it is fine or absent.

    Only sections whose package is loaded in this process are checked to the bottom.
    """
    try:
        text = _read(paths.config_file)
    except _Unreadable as error:
        return [error.problem]
    return [] if text is None else examine(paths.config_file, text)


def edit(paths: Paths, change: Callable[[TOMLDocument], None]) -> None:
    """Apply `change` to the file as a tomlkit document: comments and order stay, in one step, mode 0600.

    Raises `ConfigError`, and leaves the file alone, when it is invalid before or would be after.
    """
    import tomlkit

    private_directory(paths.config_dir)
    target = Path(os.path.realpath(paths.config_file))  # a link into the user's dotfiles stays a link
    with locked(paths.config_dir / ".lock"):
        text = _read(paths.config_file)
        if text is not None:
            _refuse(paths.config_file, examine(paths.config_file, text))
        document = tomlkit.parse(text or "")
        change(document)
        changed = tomlkit.dumps(document)
        _refuse(paths.config_file, examine(paths.config_file, changed), change=True)
        if changed != text:
            replace(target, changed.encode())


def examine(file: Path, text: str) -> list[Problem]:
    """Every problem of `text` as the content of `file`."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        place = _PLACE.search(message)
        line = int(place.group(1)) if place and place.group(1) else max(1, len(text.splitlines()))
        detail = plain(message[: place.start()] if place else message)
        return [Problem(file.name, line, "", f"not valid TOML: {detail[:1].lower()}{detail[1:]}")]
    except RecursionError:
        return [Problem(file.name, 0, "", "nested too deeply")]
    found: list[tuple[check.Path, str]] = []
    types = registry.registered()
    for name, value in document.items():
        if name in types:
            found.extend(check.examine(value, types[name], (name,)))
        elif name not in registry.ELSEWHERE:
            known = set(types) | registry.ELSEWHERE
            close = check.nearest(name, known)
            kind = "section" if isinstance(value, dict) else "key"
            found.append(((name,), f"unknown {kind}" + (f'; did you mean "{close[0]}"?' if close else "")))
    return _place(file, text, found)


def _place(file: Path, text: str, found: list[tuple[check.Path, str]]) -> list[Problem]:
    if not found:
        return []
    lines = locate(text)
    placed = []
    for path, message in found:
        known = path
        while known and known not in lines:
            known = known[:-1]
        placed.append(Problem(file.name, lines.get(known, 0), _dotted(path), plain(message), str(path[0])))
    return sorted(placed, key=lambda problem: problem.line)


def _dotted(path: check.Path) -> str:
    out = ""
    for step in path:
        if isinstance(step, int):
            out += f"[{step}]"
        else:
            name = step if re.fullmatch(r"[A-Za-z0-9_-]+", step) else f'"{plain(step)}"'
            out += f".{name}" if out else name
    return out


def _refuse(file: Path, found: list[Problem], *, change: bool = False) -> None:
    if not found:
        return
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    if change:
        raise ConfigError(f"not written: {found[0]}{more}", f"{file} is unchanged")
    raise ConfigError(f"{found[0]}{more}", f"edit {file}, then run: amtui config validate")


def _read(file: Path) -> str | None:
    try:
        # Without O_NONBLOCK the opening of a FIFO would wait for somebody who writes.
        with os.fdopen(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as source:
            if not stat.S_ISREG(os.fstat(source.fileno()).st_mode):
                problem = Problem(file.name, 0, "", "not a regular file")
                raise _Unreadable(problem, f"move {file} away")
            return source.read().decode()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        problem = Problem(file.name, line, "", "not valid UTF-8")
        raise _Unreadable(problem, f"save {file} as UTF-8, then run: amtui config validate") from error
    except OSError as error:
        problem = Problem(file.name, 0, "", f"cannot be read: {error.strerror or error}")
        raise _Unreadable(problem, f"check the permissions of {file}") from error


@contextlib.contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold an advisory lock on `file` so that two amtui processes do not lose each other's change."""
    try:
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise ConfigError(
            f"cannot write in {file.parent}: {error.strerror or error}", "make the directory writable"
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def replace(file: Path, data: bytes) -> None:
    """Replace the content of `file` in one step, durably, with mode 0600. Raises `ConfigError`."""
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
        with os.fdopen(handle, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        os.replace(temporary, file)
    except OSError as error:
        if temporary:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        raise ConfigError(
            f"cannot write {file}: {error.strerror or error}", "free space or make the directory writable"
        ) from error
