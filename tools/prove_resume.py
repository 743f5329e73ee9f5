"""pytest plugin of `make prove`: tests that passed on this very source are not run again.

A full run takes hours; one that was interrupted goes on where it stopped. `make prove FRESH=1` forgets everything.
"""

from __future__ import annotations

import json

import pytest

from tests import figures

PASSED = figures.FOLDER / "passed.json"


def _passed() -> set[str]:
    try:
        kept = json.loads(PASSED.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return set()
    return set(kept["tests"]) if kept.get("source") == figures.source() else set()


class Resume:
    """Deselects what is proven, and notes each test that passes."""

    def __init__(self) -> None:
        self.passed = _passed()
        self.skipped_as_proven = 0

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        proven = [item for item in items if item.nodeid in self.passed]
        self.skipped_as_proven = len(proven)
        items[:] = [item for item in items if item.nodeid not in self.passed]
        if proven:
            config.hook.pytest_deselected(items=proven)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed:
            self.passed.add(report.nodeid)
            figures.FOLDER.mkdir(exist_ok=True)
            kept = {"source": figures.source(), "tests": sorted(self.passed)}
            PASSED.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and self.skipped_as_proven:
            session.exitstatus = pytest.ExitCode.OK

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.skipped_as_proven:
            terminalreporter.write_line(
                f"{self.skipped_as_proven} proven before on this source (FRESH=1 repeats them)"
            )


def pytest_configure(config: pytest.Config) -> None:
    """Called by pytest when the plugin is loaded."""
    config.pluginmanager.register(Resume(), "amtui-resume")
