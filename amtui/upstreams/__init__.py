"""Where models come from: presets and the user's own, their addresses, what they speak, and who fits whom."""

from __future__ import annotations

from amtui.upstreams.address import in_clear, loopback, normalise
from amtui.upstreams.base import Upstream
from amtui.upstreams.catalogue import UpstreamConfig, Upstreams
from amtui.upstreams.matrix import Cell, common_wire, matrix
from amtui.upstreams.presets import PRESETS
from amtui.upstreams.probe import Probe, WireState, probe

__all__ = [
    "PRESETS",
    "Cell",
    "Probe",
    "Upstream",
    "UpstreamConfig",
    "Upstreams",
    "WireState",
    "common_wire",
    "in_clear",
    "loopback",
    "matrix",
    "normalise",
    "probe",
]
