"""Where amtui's own files are on the operator's computer."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from amtui.errors import ConfigError

_OVERRIDES = {"config": "AMTUI_CONFIG_DIR", "state": "AMTUI_STATE_DIR", "cache": "AMTUI_CACHE_DIR"}


@dataclass(frozen=True, slots=True)
class Paths:
    """Three directories and the files in them. Nothing is created until `make` is asked to."""

    config_dir: Path
    state_dir: Path
    cache_dir: Path

    @classmethod
    def from_environment(cls, env: Mapping[str, str] | None = None) -> Paths:
        """The directories of this user.

        `AMTUI_CONFIG_DIR`, `AMTUI_STATE_DIR` and `AMTUI_CACHE_DIR` in `env` (default: the process
        environment) win over the operating system's conventions. `~` is expanded, a relative path counts
        from the current directory.
        """
        env = os.environ if env is None else env
        chosen: dict[str, Path] = {}
        for kind, name in _OVERRIDES.items():
            value = env.get(name, "")
            if "\0" in value:
                raise ConfigError(f"{name} holds a NUL character", f"set {name} to a directory")
            chosen[kind] = Path(os.path.abspath(os.path.expanduser(value))) if value else _of_system(kind)
        return cls(chosen["config"], chosen["state"], chosen["cache"])

    @property
    def config_file(self) -> Path:
        """The user's settings, `config.toml`."""
        return self.config_dir / "config.toml"

    @property
    def secrets_file(self) -> Path:
        """Secrets kept by consent where there is no OS keyring; 0600 or refused."""
        return self.config_dir / "secrets.json"

    @property
    def database(self) -> Path:
        """The store."""
        return self.state_dir / "amtui.db"

    @property
    def machines(self) -> Path:
        """Base of the workers on this computer."""
        return self.state_dir / "machines"

    @property
    def crash_dir(self) -> Path:
        """Crash reports, without the values of locals."""
        return self.state_dir / "crashes"

    @property
    def log_file(self) -> Path:
        """amtui's own log."""
        return self.state_dir / "amtui.log"

    def make(self, directory: Path) -> Path:
        """Create `directory` with mode 0700 when it is missing, and return it. Raises `ConfigError`."""
        return private_directory(directory)


def private_directory(directory: Path) -> Path:
    """`directory`, created with its missing parents, all 0700. An existing one keeps its mode."""
    missing = []
    step = directory
    while not step.exists() and step != step.parent:
        missing.append(step)
        step = step.parent
    try:
        for each in reversed(missing):
            each.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"cannot create {directory}: {error.strerror or error}",
            "make it writable, or point AMTUI_CONFIG_DIR, AMTUI_STATE_DIR and AMTUI_CACHE_DIR elsewhere",
        ) from error
    if not directory.is_dir():
        raise ConfigError(f"{directory} is not a directory", "move that file away")
    return directory


def _of_system(kind: str) -> Path:
    import platformdirs

    find = {
        "config": platformdirs.user_config_path,
        "state": platformdirs.user_state_path,
        "cache": platformdirs.user_cache_path,
    }[kind]
    return find("amtui", appauthor=False)
