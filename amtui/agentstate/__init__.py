"""What each agent does and how we know: evidence of one console, judged best evidence first."""

from __future__ import annotations

from amtui.agentstate.evidence import Evidence, Signal, StatusFile, from_frame
from amtui.agentstate.judge import Tried, explain, judge, trail
from amtui.agentstate.probe import PROBE, parse_probe, probe_argv
from amtui.agentstate.question import Option, Question, prompt_guard, question

__all__ = [
    "PROBE",
    "Evidence",
    "Option",
    "Question",
    "Signal",
    "StatusFile",
    "Tried",
    "explain",
    "from_frame",
    "judge",
    "parse_probe",
    "probe_argv",
    "prompt_guard",
    "question",
    "trail",
]
