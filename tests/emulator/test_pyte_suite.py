"""pyte's own tests, from its source distribution, against our Screen and Stream.

They are fetched from the package registry once and kept in the cache directory. What fails must be listed in
`pyte_waivers.toml` with its reason, and what is listed there must fail.
"""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections import Counter
from importlib.metadata import version
from pathlib import Path

import pytest
from figures import record

ROOT = Path(__file__).resolve().parents[2]
WAIVERS = tomllib.loads(Path(__file__).with_name("pyte_waivers.toml").read_text(encoding="utf-8"))
FILES = ("test_diff.py", "test_input_output.py", "test_screen.py", "test_stream.py")

CONFTEST = '''
import pyte
from amtui.emulator import Screen, Stream

class TextStream(Stream):
    """pyte's Stream takes text."""
    def feed(self, data):
        super().feed(data.encode("utf-8", "surrogateescape"))

pyte.Screen, pyte.ByteStream, pyte.Stream = Screen, Stream, TextStream
'''

OUTCOME = re.compile(
    r"^(?:tests/)?(test_\w+\.py::\w+)(?:\[.*\])? (PASSED|FAILED|ERROR|XFAIL|XPASS|SKIPPED)", re.MULTILINE
)


def source() -> Path:
    """The source distribution of the pyte that is installed, fetched once."""
    wanted = f"pyte-{version('pyte')}"
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "amtui" / "sources"
    base.mkdir(parents=True, exist_ok=True)
    kept = base / f"{wanted}.tar.gz"
    with open(base / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            with tempfile.TemporaryDirectory(dir=base) as folder:
                call = [
                    sys.executable,
                    "-m",
                    "pip",
                    "download",
                    "-q",
                    "--disable-pip-version-check",
                    "--no-deps",
                ]
                call += ["--no-binary", "pyte", "-d", folder, wanted.replace("-", "==")]
                done = subprocess.run(call, capture_output=True, text=True, timeout=100)
                assert done.returncode == 0, done.stderr[-2000:]
                (Path(folder) / kept.name).rename(kept)
    return kept


def outcomes(folder: Path) -> dict[str, Counter[str]]:
    """Test → how often it had which outcome."""
    own = folder / "tests"
    (own / "captured").mkdir(parents=True)
    with tarfile.open(source()) as archive:
        for member in archive:
            inner = member.name.partition("/tests/")[2]
            if member.isfile() and re.fullmatch(r"(captured/)?[\w.-]+", inner):
                (own / inner).write_bytes(archive.extractfile(member).read())  # type: ignore[union-attr]
    (own / "conftest.py").write_text(CONFTEST)
    (folder / "pytest.ini").write_text("[pytest]\n")
    call = [sys.executable, "-m", "pytest", "-v", "--tb=no", "-p", "no:cacheprovider", "--timeout", "60"]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "1000", "PYTHONIOENCODING": "utf-8"}
    env.pop("PYTEST_ADDOPTS", None)
    done = subprocess.run(
        [*call, *(f"tests/{name}" for name in FILES)], cwd=folder, env=env, capture_output=True, timeout=110
    )
    found: dict[str, Counter[str]] = {}
    for name, outcome in OUTCOME.findall(done.stdout.decode("utf-8", "replace")):
        found.setdefault(name, Counter())[outcome] += 1
    assert sum(map(len, found.values())) > 80, (done.stdout + done.stderr).decode()[-3000:]
    return found


@pytest.mark.prove
def test_pyte_suite(tmp_path: Path) -> None:
    found = outcomes(tmp_path)
    failed = {name: count["FAILED"] + count["ERROR"] for name, count in found.items()}
    waived = {name: waiver.get("fails", 1) for name, waiver in WAIVERS.items()}
    unlisted = {name: count for name, count in failed.items() if count and waived.get(name) != count}
    healed = {name: count for name, count in waived.items() if failed.get(name) != count}
    passed = sum(count["PASSED"] for count in found.values())
    failing = sum(failed.values())
    record(
        "pyte's own suite", "every failure in the waiver file",
        f"{passed} pass, {failing} fail, {sum(waived.values())} waived",
        not unlisted and not healed, conditions=f"pyte {version('pyte')}",
    )  # fmt: skip
    assert not unlisted, "failing, and not in pyte_waivers.toml"
    assert not healed, "in pyte_waivers.toml, but not failing like that"


def test_every_waiver_has_a_reason() -> None:
    assert all(
        len(waiver["reason"]) > 20 and waiver.keys() <= {"reason", "fails"} for waiver in WAIVERS.values()
    )
