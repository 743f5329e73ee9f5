"""Where amtui keeps things, what the user configured, and where secrets come from.

`Paths`, `load`, `register`, `section`, `edit`, `schema`, `problems` and `Secrets` are the whole surface. Each
package registers its own section at import; those that belong to no package are in `amtui.config.sections`.
"""

from __future__ import annotations

from amtui.config.check import Problem, nearest
from amtui.config.file import Config, edit, load, problems
from amtui.config.paths import Paths
from amtui.config.registry import register, registered, schema
from amtui.config.secrets import Secret, Secrets
from amtui.config.sections import DefaultsConfig, KeysConfig, UiConfig

__all__ = [
    "Config",
    "DefaultsConfig",
    "KeysConfig",
    "Paths",
    "Problem",
    "Secret",
    "Secrets",
    "UiConfig",
    "edit",
    "load",
    "nearest",
    "problems",
    "register",
    "registered",
    "schema",
]
