"""What can be done to the worker a screen is about. Each key exists only while its operation would work."""

from __future__ import annotations

from typing import Final

from amtui.model import AgentStatus, WorkerRow
from amtui.screens.base import AmtuiScreen
from amtui.widgets import states

_CHANGES: Final = {
    "reply": "reply",
    "sleep": "sleep",
    "wake": "wake",
    "restart": "restart",
    "destroy": "destroy",
    "bootstrap": "bootstrap",
    "new": "new",
}
"""Action of a key → the operation behind it; refused in read-only mode, so not even shown there."""
_NEED_ROW: Final = frozenset({
    "open", "type", "attach", "reply", "sleep", "wake", "restart", "destroy", "bootstrap", "logs", "explain",
})  # fmt: skip


class WorkerActions(AmtuiScreen):
    """A screen with a selected worker."""

    def selected(self) -> WorkerRow | None:
        """The worker that the keys are about."""
        raise NotImplementedError

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in _CHANGES and (self.desk.ctx.read_only or not self.desk.operations.has(_CHANGES[action])):
            return False
        if action in _NEED_ROW:
            row = self.selected()
            return row is not None and self._applies(action, row)
        return True

    def _applies(self, action: str, row: WorkerRow) -> bool:
        group = states.look(row).group
        resting = row.worker.asleep or row.host.state.value == "asleep"
        if action in ("type", "attach"):
            return not self.desk.ctx.read_only and not resting
        if action == "reply":
            return row.agent.status is AgentStatus.NEEDS_YOU
        if action == "sleep":
            return not resting and group != "starting"
        if action == "wake":
            return resting
        if action == "restart":
            return not resting and group != "starting"
        if action == "bootstrap":
            return any(p.status.value in ("failed", "pending") for p in row.phases)
        return True

    def _perform(self, op_id: str) -> None:
        row = self.selected()
        if row is None:
            return
        field = next(f for f in self.desk.operations.fields(op_id) if f.arg.complete == "worker")
        name = row.worker.name
        self.desk.perform(op_id, {field.name: (name,) if field.many else name})

    def action_sleep(self) -> None:
        self._perform("sleep")

    def action_wake(self) -> None:
        self._perform("wake")

    def action_restart(self) -> None:
        self._perform("restart")

    def action_destroy(self) -> None:
        self._perform("destroy")

    def action_explain(self) -> None:
        self._perform("explain")

    def action_bootstrap(self) -> None:
        if row := self.selected():
            self.desk.follow_setup(row.worker.name, "bootstrap", {"name": row.worker.name})

    def action_reply(self) -> None:
        if row := self.selected():
            self.desk.reply(row.worker.name)

    def action_logs(self) -> None:
        if row := self.selected():
            self.desk.open_logs(row.worker.name)

    def action_new(self) -> None:
        self.desk.open_deploy({})
