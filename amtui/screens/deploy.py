"""The form for a new worker, made from what the operation asks for; it shows the command that does the same."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Final

from rich.style import Style
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import Input

from amtui.config import DefaultsConfig
from amtui.screens.base import AmtuiScreen
from amtui.screens.deploy_checks import advice, problems
from amtui.screens.offers import Offers, gather
from amtui.widgets.form import Field
from amtui.widgets.panes import Lines, Piece

if TYPE_CHECKING:
    from amtui.ops.params import Field as Parameter

_UNSET: Final = ("", "default")
_NONE: Final = {"upstream": ("", "none"), "login": ("", "now, with a key"), "agent": ("", "default")}
_SKIPPED: Final = ("no_attach",)
"""The form always goes on to the console."""


class DeployScreen(AmtuiScreen):
    """Where, which agent, which model, how free."""

    PLACE = "New worker"
    MODE = "form"
    HELP_TEXT = (
        "Everything has a default. Nothing is created before you deploy; leaving the form creates nothing."
    )
    DEFAULT_CSS = """
    DeployScreen #form { height: auto; border: round $accent; border-title-color: $foreground; padding: 0 1; }
    DeployScreen #same { height: 1fr; border: round $border-blurred; border-title-color: $foreground; padding: 0 1;
                         border-subtitle-color: $text-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "app.focus_next", "Field", id="form.next"),
        Binding("A", "deploy", "Deploy", id="deploy.go"),
        Binding("ctrl+s", "deploy_now", "Deploy", id="deploy.go_now"),
        Binding("y", "copy", "Copy command", id="deploy.copy"),
        Binding("ctrl+y", "copy_now", "Copy command", id="deploy.copy_now"),
        Binding("down", "app.focus_next", "Next", show=False, id="form.down"),
        Binding("up", "app.focus_previous", "Previous", show=False, id="form.up"),
        Binding("escape", "back", "Back", id="app.back"),
    ]

    def __init__(self, values: dict[str, Any]) -> None:
        super().__init__()
        self._given = values
        self._offers = Offers()
        self.fields: dict[str, Field] = {}

    # ---- building

    def body(self) -> Iterable[Widget]:
        parameters = [p for p in self.desk.operations.fields("new") if p.name not in _SKIPPED]
        self.fields = {p.name: self._field(p) for p in parameters}
        self.form = Vertical(*self.fields.values(), id="form")
        self.same = Lines(id="same")
        return (self.form, self.same)

    def _field(self, parameter: Parameter) -> Field:
        name = parameter.name
        label = name.replace("_", " ")
        value = str(self._given.get(name) or self._default(name) or "")
        if (options := self._options(parameter)) is not None:
            known = [v for v, _ in options]
            field = Field(name, label, value if value in known else known[0], options=options,
                          open_ended=parameter.arg.complete == "substrate")  # fmt: skip
            if value and value not in known:
                self.call_after_refresh(field.set_value, value)
            return field
        return Field(name, label, value, hint=parameter.arg.help)

    def _options(self, parameter: Parameter) -> list[tuple[str, str]] | None:
        """The closed list a field chooses from, or None when it is typed."""
        if parameter.type is bool:
            return [("", "no"), ("yes", "yes")]
        offered = parameter.choices or self._offers.of(parameter.arg.complete)
        if not offered and parameter.arg.complete not in ("upstream", "runtime", "substrate"):
            return None
        options = [(value, self._label(parameter.arg.complete, value)) for value in offered]
        if parameter.arg.complete in ("substrate", "runtime"):
            return options
        return [_NONE.get(parameter.name, _UNSET), *options]

    def _label(self, kind: str, value: str) -> str:
        upstream = self._offers.upstream(value) if kind == "upstream" else None
        return value if upstream is None or upstream.key else f"{value} (no key)"

    def _default(self, name: str) -> str:
        defaults: DefaultsConfig = self.desk.ctx.config.section("defaults", DefaultsConfig)
        if name == "name":
            taken = {row.worker.name for row in self.rows}
            return next(n for n in (f"worker-{i}" for i in range(1, 10_000)) if n not in taken)
        return {
            "on": defaults.substrate,
            "agent": defaults.runtime,
            "upstream": defaults.upstream or "",
            "autonomy": defaults.autonomy.value if defaults.autonomy else "",
        }.get(name, "")

    def on_mount(self) -> None:
        self.form.border_title = "New worker"
        self.same.border_title = "Same thing as a command"
        first = self.fields.get("on") or next(iter(self.fields.values()))
        first.focus_target.focus()
        self.desk.spawn(self._learn(), asked=False)
        self._check()

    async def _learn(self) -> None:
        """Offers need the registry; the form is there before them."""
        self._offers = await gather(self.desk)
        if not self.is_attached:
            return
        for parameter in self.desk.operations.fields("new"):
            field = self.fields.get(parameter.name)
            options = self._options(parameter) if field is not None else None
            if field is not None and options is not None:
                wanted = str(self._given.get(parameter.name) or self._default(parameter.name) or "")
                before = field.value
                field.offer(options)
                if wanted and wanted != before and wanted in [v for v, _ in options]:
                    field.set_value(wanted)
        self._check()

    # ---- values

    def values(self) -> dict[str, Any]:
        """What was filled in, as parameters of the operation; empty fields are left out."""
        known = {p.name: p for p in self.desk.operations.fields("new")}
        filled: dict[str, Any] = {}
        for name, field in self.fields.items():
            if field.value:
                filled[name] = True if known[name].type is bool else field.value
        return filled

    def command(self) -> str:
        """The command line that does the same."""
        return self.desk.operations.command_line("new", self.values())

    def wrong(self) -> dict[str, str]:
        """Problems by field."""
        return problems(
            {k: str(v) for k, v in self.values().items()}, self._offers, {r.worker.name for r in self.rows}
        )

    def _check(self) -> None:
        values = {k: str(v) for k, v in self.values().items()}
        found = self.wrong()
        for name, field in self.fields.items():
            field.note(found.get(name, ""))
        lines: list[list[Piece]] = [
            [(line, Style(bold=True))] for line in _folded(self.command(), self.size.width - 6)
        ]
        about = self._about_focused()
        lines += [[], [(about, Style())]] if about else [[]]
        lines += [[(line, Style(dim=True))] for line in advice(values, self._offers)]
        self.same.put(lines)
        if found:
            text = "; ".join(f"{name}: {what}" for name, what in found.items())
            self.status.say(f"{len(found)} problem{'s' * (len(found) > 1)}: {text}", "bad")
        else:
            self.status.say("ready to deploy", "good")
        self.refresh_bindings()

    def _about_focused(self) -> str:
        """What the field under the keyboard is for."""
        field = (
            next((f for f in self.focused.ancestors_with_self if isinstance(f, Field)), None)
            if self.focused
            else None
        )
        known = {p.name: p.arg.help for p in self.desk.operations.fields("new")}
        return f"{field.field_name}: {known.get(field.field_name, '')}" if field is not None else ""

    def on_descendant_focus(self) -> None:
        self._check()

    def on_field_changed(self, event: Field.Changed) -> None:
        self._check()

    def on_resize(self) -> None:
        self._check()

    # ---- keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        typing = isinstance(self.focused, Input)
        if action in ("deploy", "copy"):
            return not typing and (action == "copy" or not self.wrong())
        if action in ("deploy_now", "copy_now"):
            return typing and (action == "copy_now" or not self.wrong())
        return True

    def action_deploy(self) -> None:
        values = self.values()
        self.desk.follow_setup(str(values["name"]), "new", values, instead=True)

    action_deploy_now = action_deploy

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(self.command())
        self.desk.say(f"copied: {self.command()}")

    action_copy_now = action_copy

    def action_back(self) -> None:
        self.dismiss()


def _folded(text: str, width: int) -> list[str]:
    """A command over several lines that can be pasted as they are."""
    lines, line = [], ""
    for word in text.split(" "):
        if line and len(line) + len(word) + 3 > max(20, width):
            lines.append(line + " \\")
            line = "  " + word
        else:
            line = f"{line} {word}" if line else word
    return [*lines, line]
