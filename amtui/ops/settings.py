"""Upstreams, secrets and configuration."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

import msgspec
from msgspec import Struct

from amtui.errors import ConfigError, NeedsConfirmation, Refused, UnknownName
from amtui.model import SCHEMA, Wire
from amtui.ops.base import Action, Arg, Progress, Result, Yield
from amtui.ops.context import Context, Question
from amtui.ops.table import render


class Nothing(Struct, frozen=True, kw_only=True):
    """No parameters."""


class UpstreamName(Struct, frozen=True, kw_only=True):
    """Parameters of an operation on one upstream."""

    name: Annotated[str, Arg("id of the upstream", positional=True, complete="upstream")]


class UpstreamAdd(Struct, frozen=True, kw_only=True):
    """Parameters of `upstream add`."""

    name: Annotated[str, Arg("id to give it", positional=True)]
    wire: Annotated[tuple[Wire, ...], Arg("a dialect it speaks; may be repeated")]
    base_url: Annotated[str, Arg("its address, with or without /v1", metavar="URL")]
    key_env: Annotated[str, Arg("name under which its key is found in secrets", metavar="VAR")] = ""
    model: Annotated[str, Arg("model to use when none is chosen")] = ""


class SecretSet(Struct, frozen=True, kw_only=True):
    """Parameters of `secret set`; the value is read from a hidden prompt or stdin, never from the command line."""

    name: Annotated[str, Arg("name of the secret, as ANTHROPIC_API_KEY", positional=True, complete="secret")]
    file: Annotated[bool, Arg("allow a private file (0600) where there is no OS keyring")] = False


class SecretName(Struct, frozen=True, kw_only=True):
    """Parameters of `secret rm`."""

    name: Annotated[str, Arg("name of the secret", positional=True, complete="secret")]


async def upstream_ls(ctx: Context, params: Nothing) -> AsyncIterator[Yield]:
    from amtui.runtimes import RUNTIMES

    rows, documents = [], []
    for up in ctx.estate.upstreams.all():
        secret = ctx.estate.secrets.get(up.key_env) if up.key_env else None
        key = (
            "not needed"
            if not up.key_env
            else f"{up.key_env} ({secret.source})"
            if secret
            else f"{up.key_env} –"
        )
        serves = [r.id for r in RUNTIMES.values() if r.wires & set(up.wires)]
        rows.append((up.id, ",".join(up.wires), up.base_url, key, ",".join(serves) or "none"))
        documents.append(
            {**msgspec.to_builtins(up), "key": bool(secret) or not up.key_env, "runtimes": serves}
        )
    yield Result(
        {"schema": SCHEMA, "upstreams": documents}, render(("ID", "WIRES", "BASE URL", "KEY", "SERVES"), rows)
    )


async def upstream_add(ctx: Context, params: UpstreamAdd) -> AsyncIterator[Yield]:
    from amtui.upstreams import Upstream

    ctx.estate.upstreams.add(
        Upstream(
            id=params.name,
            wires=tuple(dict.fromkeys(params.wire)),
            base_url=params.base_url,
            key_env=params.key_env,
            default_model=params.model,
        )
    )
    upstream = ctx.estate.upstreams.get(params.name)
    note = ""
    if upstream.key_env and ctx.estate.secrets.get(upstream.key_env) is None:
        note = f"\n{upstream.key_env} is not set yet: `amtui secret set {upstream.key_env}`"
    yield Result({"schema": SCHEMA, "upstream": msgspec.to_builtins(upstream)}, f"added {upstream.id}{note}")


async def upstream_test(ctx: Context, params: UpstreamName) -> AsyncIterator[Yield]:
    from amtui.upstreams import probe

    upstream = ctx.estate.upstreams.get(params.name)
    secret = ctx.estate.secrets.get(upstream.key_env) if upstream.key_env else None
    yield Progress(f"asking {upstream.base_url}")
    found = await probe(upstream, secret.value if secret else None)
    rows = [
        (wire.value, str(state), "declared" if wire in upstream.wires else "")
        for wire, state in found.wires.items()
    ]
    document = {
        "schema": SCHEMA,
        "id": upstream.id,
        "wires": {w.value: str(s) for w, s in found.wires.items()},
        "detail": found.detail,
    }
    bad = [wire for wire in upstream.wires if str(found.wires.get(wire)) != "present"]
    text = render(("WIRE", "STATE", ""), rows) + (f"\n{found.detail}" if found.detail else "")
    yield Result(document, text, exit_code=1 if bad else 0)


async def upstream_rm(ctx: Context, params: UpstreamName) -> AsyncIterator[Yield]:
    users = [w.name for w in ctx.estate.store.workers() if w.upstream == params.name]
    if users:
        raise Refused(
            f"upstream {params.name} is used by {', '.join(users)}", "give them another with `amtui set`"
        )
    ctx.estate.upstreams.remove(params.name)
    yield Result({"schema": SCHEMA, "removed": params.name}, f"removed {params.name}")


async def secret_set(ctx: Context, params: SecretSet) -> AsyncIterator[Yield]:
    if ctx.ask is None:
        raise NeedsConfirmation(
            "the value is asked for or read from stdin", f"echo … | amtui secret set {params.name}"
        )
    value = await ctx.ask(Question("secret", params.name, "paste the value; it is not shown"))
    if not value:
        raise Refused("no value given", "nothing was changed")
    source = ctx.estate.secrets.set(params.name, value, allow_file=params.file)
    yield Result(
        {"schema": SCHEMA, "name": params.name, "source": source}, f"{params.name} is in the {source}"
    )


async def secret_ls(ctx: Context, params: Nothing) -> AsyncIterator[Yield]:
    names = ctx.estate.secrets.names(also={up.key_env for up in ctx.estate.upstreams.all() if up.key_env})
    document = {"schema": SCHEMA, "secrets": [{"name": n, "source": s} for n, s in names]}
    yield Result(document, render(("NAME", "SOURCE"), names) if names else "no secrets stored")


async def secret_rm(ctx: Context, params: SecretName) -> AsyncIterator[Yield]:
    if not ctx.estate.secrets.remove(params.name):
        raise UnknownName(f"no stored secret named {params.name}", "`amtui secret ls` lists them")
    yield Result({"schema": SCHEMA, "removed": params.name}, f"forgot {params.name}")


async def config_path(ctx: Context, params: Nothing) -> AsyncIterator[Yield]:
    paths = ctx.estate.paths
    where = {
        "config": str(paths.config_file),
        "state": str(paths.state_dir),
        "store": str(paths.database),
        "workers": str(paths.machines),
        "cache": str(paths.cache_dir),
    }
    yield Result({"schema": SCHEMA, **where}, render(("", ""), where.items()).strip())


async def config_show(ctx: Context, params: Nothing) -> AsyncIterator[Yield]:
    document: dict[str, Any] = ctx.estate.config.effective()
    yield Result({"schema": SCHEMA, "config": document}, json.dumps(document, indent=2))


async def config_validate(ctx: Context, params: Nothing) -> AsyncIterator[Yield]:
    from amtui.config import problems

    found = problems(ctx.estate.paths)
    if found:
        raise ConfigError("; ".join(str(p) for p in found), f"edit {ctx.estate.paths.config_file}")
    yield Result({"schema": SCHEMA, "problems": []}, "no problems")


async def config_schema(ctx: Context, params: Nothing) -> AsyncIterator[Yield]:
    from amtui.config import schema

    document = schema()
    yield Result(document, json.dumps(document, indent=2))


UPSTREAM_LS = Action(Nothing, upstream_ls)
UPSTREAM_ADD = Action(UpstreamAdd, upstream_add)
UPSTREAM_TEST = Action(UpstreamName, upstream_test)
UPSTREAM_RM = Action(UpstreamName, upstream_rm)
SECRET_SET = Action(SecretSet, secret_set)
SECRET_LS = Action(Nothing, secret_ls)
SECRET_RM = Action(SecretName, secret_rm)
CONFIG_PATH = Action(Nothing, config_path)
CONFIG_SHOW = Action(Nothing, config_show)
CONFIG_VALIDATE = Action(Nothing, config_validate)
CONFIG_SCHEMA = Action(Nothing, config_schema)
