"""The emulator beside stock pyte on every stream of the benchmark, and hostile bytes beside plain ones."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from figures import proving, record, size

from amtui.ops.benchmark import Measured, measure, summary
from amtui.ops.benchmark_streams import RECORDED, generated, recorded

SLACK = 1.0 if proving() else 1.5
GEOMEAN, PLAIN, LOWEST = 7.0, 50.0, 1.5
NAMES = {
    "ansi_gitlog", "ascii_scroll", "cjk", "ink_repaint", "ls_color", "redraw_truecolor", "rec_tuis",
    "vt_cursor_motion", "vt_dense_cells", "vt_light_cells", "vt_medium_cells", "vt_scrolling",
    "vt_scrolling_bottom_region", "vt_scrolling_bottom_small_region", "vt_scrolling_fullscreen",
    "vt_scrolling_top_region", "vt_scrolling_top_small_region", "vt_sync_medium_cells", "vt_unicode",
}  # fmt: skip


def told(measured: list[Measured]) -> str:
    worst = sorted(measured, key=lambda each: each.ratio)[:5]
    return ", ".join(f"{each.name} {each.ratio:.1f}×" for each in worst)


@pytest.mark.prove
@pytest.mark.timeout(1800)
def test_speed_against_stock_pyte() -> None:
    samples = [*generated(size(60_000, 400_000)), *recorded()]
    assert {sample.name for sample in samples} >= NAMES
    if not proving():  # the single recordings are also in the stream of all of them
        samples = [
            sample for sample in samples if not sample.name.startswith("rec_") or sample.name == RECORDED
        ]
    measured = [measure(sample, size(2, 5)) for sample in samples]
    totals = summary(measured)
    conditions = (
        f"{len(measured)} streams, CPU time, in turns, best of {size(2, 5)}; slowest: {told(measured)}"
    )
    for name, wanted, value in (
        ("emulator: geomean of realistic streams", GEOMEAN, totals.geomean_realistic),
        ("emulator: plain logs", PLAIN, totals.plain_logs),
        ("emulator: slowest stream", LOWEST, totals.lowest),
    ):
        record(
            name.partition(" (")[0],
            f"≥ {wanted}× stock pyte",
            f"{value:.1f}×",
            value >= wanted,
            conditions=conditions,
        )
    assert totals.geomean_realistic >= GEOMEAN / SLACK, told(measured)
    assert totals.plain_logs >= PLAIN / SLACK, told(measured)
    assert totals.lowest >= LOWEST / SLACK, told(measured)


def test_streams_are_the_same_every_time() -> None:
    assert list(generated(5_000)) == list(generated(5_000))


def test_the_command_prints_what_it_measured() -> None:
    call = [
        sys.executable,
        "-m",
        "amtui",
        "benchmark",
        "emulator",
        "--only",
        "ls_",
        "--size",
        "20",
        "--rounds",
        "1",
    ]
    document = json.loads(
        subprocess.run([*call, "--json"], capture_output=True, check=True, timeout=60).stdout
    )
    assert document["schema"] == 1
    assert [stream["name"] for stream in document["streams"]] == ["ls_color"]
    assert document["render"] == []
    (stream,) = document["streams"]
    assert stream["ratio"] == pytest.approx(stream["amtui"] / stream["pyte"])
    assert document["lowest"] == pytest.approx(stream["ratio"])
    assert document["geomean_realistic"] == pytest.approx(stream["ratio"])
    text = subprocess.run(call, capture_output=True, check=True, timeout=60, text=True).stdout
    assert "geomean of the realistic streams" in text
    bad = subprocess.run([*call, "--only", "no such"], capture_output=True, timeout=60, text=True)
    assert bad.returncode == 2
    assert "nothing has 'no such' in its name" in bad.stderr
