"""What reaches the terminal is what the consoles hold, whichever way it went: past the compositor or through it.

The bytes for the terminal are read by our own emulator, and its cells compared with those of the consoles.
"""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import random
import sys
from typing import Any

import pytest
from figures import size
from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from textual._compositor import Compositor, CompositorUpdate
from textual._styles_cache import StylesCache
from textual.app import App, ComposeResult
from textual.containers import Grid
from textual.filter import dim_color
from textual.geometry import Offset, Region
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widgets import Static
from ui_fake import NOW, FakeConsole, FakeHandle, FakeTypingHandle
from ui_pilot import until

from amtui.emulator import Screen, Stream
from amtui.emulator.cells import BLINK, BOLD, DEFAULT, ITALIC, OVERLINE, REVERSE, STRIKE, Attr
from amtui.widgets import direct
from amtui.widgets.console_picture import HOLD
from amtui.widgets.console_view import ConsoleView
from amtui.widgets.direct import Frame, missing
from amtui.widgets.frame_clock import clock_of
from amtui.widgets.paint import DARK, LIGHT, Palette, RowLine, strip_of, style

RED = (255, 0, 0)
Cell = tuple[str, Any, Any, int, int]
"""Character, two colours, flags, underline: what a person can tell apart."""


class Terminal:
    """The operator's terminal, as far as one can look at it."""

    def __init__(self, columns: int, lines: int) -> None:
        self.screen = Screen(columns=columns, lines=lines, history=10)
        self.stream = Stream(self.screen)
        self.frames = 0

    def write(self, text: str) -> None:
        self.stream.feed(text.encode())

    def cell(self, x: int, y: int) -> Cell:
        row = self.screen.row(y)
        attr = row.attrs[x]
        return row.chars[x], attr.fg, attr.bg, attr.flags, attr.underline


class Wall(App[None]):
    """Consoles side by side on a terminal; a curtain can be drawn over them."""

    CSS = """
    Grid { grid-size: 2; layer: base; }
    Screen { layers: base above; }
    #curtain { layer: above; display: none; width: 30; height: 5; offset: 6 3; background: rgb(255,0,0); }
    #curtain.drawn { display: block; }
    .bare, .bare:focus { border: none; }
    """
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, consoles: list[FakeConsole]) -> None:
        super().__init__()
        self.fakes = consoles
        self.views = [ConsoleView(link_clock=lambda: NOW) for _ in consoles]
        self.terminal = Terminal(80, 40)
        self.console._color_system = ColorSystem.TRUECOLOR
        self.direct = 0

    def compose(self) -> ComposeResult:
        with Grid():
            yield from self.views
        yield Static("curtain", id="curtain")

    def on_mount(self) -> None:
        for number, (view, console) in enumerate(zip(self.views, self.fakes, strict=True)):
            view.set_class(number % 2 == 1, "bare")
            view.show(FakeTypingHandle(console) if number == 0 else FakeHandle(console), f"box{number}")

    def _display(self, screen: Any, renderable: Any) -> None:
        """As Textual does where there is a terminal."""
        if isinstance(renderable, CompositorUpdate) and not self._batch_count:
            self.direct += isinstance(renderable, Frame)
            self.terminal.write(renderable.render_segments(self.console))


def expected(view: ConsoleView, x: int, y: int, palette: Palette) -> Cell:
    """What should stand in the content of `view` at (x, y)."""
    assert view.handle is not None
    row = view._shown[y][0] if y < len(view._shown) else None
    at = x + view._left
    char, attr = " ", DEFAULT
    if row is not None and at < min(len(row), view.handle.screen.columns):
        text = [(c, a) for run, a, cells in row.runs() for c, a in _cells(run, a, cells)]
        char, attr = text[at]
    rich = style(attr, palette)
    flags = attr.flags & (BOLD | ITALIC | BLINK | STRIKE | OVERLINE)
    under = 0 if not attr.underline else 2 if attr.underline == 2 else 1
    assert rich.color is not None
    assert rich.bgcolor is not None
    front, back = rich.color.get_truecolor(), rich.bgcolor.get_truecolor()
    if view._dimmed and row is not None:
        front = dim_color(rich.bgcolor, rich.color).get_truecolor()
    elif (
        not view._dimmed
        and view._cursor is not None
        and view._cursor in (Offset(x, y), Offset(x - (char == ""), y))
    ):
        if view.typing:
            flags |= REVERSE
        else:
            under = under or 1
    return char, tuple(front), tuple(back), flags, under


def _cells(text: str, attr: Attr, cells: int) -> list[tuple[str, Attr]]:
    out: list[tuple[str, Attr]] = []
    screen = Screen(columns=cells, lines=1, history=0)
    Stream(screen).feed(text.encode())
    out += [(char, attr) for char in screen.row(0).chars]
    return out


def _half(view: ConsoleView, x: int, y: int, covered: Region) -> bool:
    """Whether (x, y) is one half of a wide character whose other half is covered: the compositor leaves a blank."""
    where = Offset(view.content_region.x + x, view.content_region.y + y)
    if expected(view, x, y, view.palette)[0] == "":
        return covered.contains_point(where - Offset(1, 0))
    after = x + 1 < view.size.width and expected(view, x + 1, y, view.palette)[0] == ""
    return after and covered.contains_point(where + Offset(1, 0))


def differences(app: Wall) -> list[str]:
    """Cells of the terminal that are not what the consoles hold."""
    found = []
    curtain = app.query_one("#curtain")
    covered = curtain.region if curtain.has_class("drawn") else None
    for view in app.views:
        inside = view.content_region
        for y in range(view.size.height):
            if y == 0 and view._banner:
                continue
            for x in range(view.size.width):
                where = Offset(inside.x + x, inside.y + y)
                now = app.terminal.cell(*where)
                if covered is not None and covered.contains_point(where):
                    if now[2] != RED:
                        found.append(f"{where}: {now} instead of the curtain")
                    continue
                want = expected(view, x, y, view.palette)
                if covered is not None and _half(view, x, y, covered):
                    want = (" ", *want[1:])
                if now != want:
                    found.append(f"{view.label} ({x},{y}): {now} instead of {want}")
    return found


PIECES = [
    b"text", b"working\xe2\x80\xa6", b"\r\n", b"\r\n\r\n", "漢字".encode(), "│└─".encode(), "⠋⠙".encode(), b"\t",
    b"\r", b"\x1b[K",
    b"\x1b[1;31m", b"\x1b[0m", b"\x1b[38;2;1;2;3m", b"\x1b[48;5;60m", b"\x1b[7m", b"\x1b[2m", b"\x1b[4m", b"\x1b[21m",
    b"\x1b[3;9m", b"\x1b[8m", b"\x1b[53m", b"\x1b[H", b"\x1b[2J", b"\x1b[5;9H", b"\x1b[2L", b"\x1b[M",
    b"\x1b[3P", b"\x1b[4@",
    b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[?25l", b"\x1b[?25h", b"\x1b[2A", b"\x1b[9C", b"\x1b[2;6r", b"\x1b[r",
    b"\x1b[?2026h",
    b"\x1b[?2026l",
]  # fmt: skip


class Another(ModalScreen[None]):
    """Something over everything, for a while."""

    def compose(self) -> ComposeResult:
        yield Static("another")


async def settled(pilot: Any, app: Wall) -> None:
    """Wait until the terminal shows what the consoles hold: no frame is due, and every cell is right."""
    clock = clock_of(app)

    def quiet() -> bool:
        return not (clock.common._wanted or clock.eager._wanted or app.screen._dirty_widgets)

    await until(pilot, quiet)
    for _ in range(100):
        if not differences(app):
            return
        await pilot.pause(0.02)
    raise AssertionError("\n".join(differences(app)[:12]))


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(size(3, 12)))
async def test_the_terminal_shows_what_the_consoles_hold(seed: int) -> None:
    rng = random.Random(seed)
    consoles = [
        FakeConsole(b"", columns, lines) for columns, lines in ((38, 18), (40, 20), (50, 25), (20, 8))
    ]
    app = Wall(consoles)

    async def act() -> str:
        what = rng.choices(
            [
                "feed",
                "flush",
                "resize",
                "theme",
                "scroll",
                "stale",
                "curtain",
                "modal",
                "shot",
                "type",
                "remote",
            ],
            [40, 20, 2, 2, 6, 2, 4, 2, 4, 3, 2],
        )[0]
        number = rng.randrange(4)
        view, console = app.views[number], consoles[number]
        if what == "feed":
            for _ in range(rng.randrange(1, 5)):
                rng.choice(consoles).feed(b"".join(rng.choices(PIECES, k=rng.randrange(1, 12))))
                if rng.random() < 0.3:
                    rng.choice(app.views)._flush()
        elif what == "flush":
            view._flush()
        elif what == "resize":
            width, height = rng.randrange(60, 90), rng.randrange(30, 44)
            app.terminal.screen.resize(height, width)
            await pilot.resize_terminal(width, height)
        elif what == "theme":
            app.theme = rng.choice(["textual-dark", "textual-light"])
        elif what == "scroll":
            view._scroll(rng.choice([-5, 3, 40, -(10**6)]))
        elif what == "stale":
            console.status.link = rng.choice(["live", "stale"])
            console.changed()
        elif what == "curtain":
            app.query_one("#curtain").toggle_class("drawn")
        elif what == "modal":
            await app.push_screen(Another())
            consoles[number].feed(b"behind\r\n")
            await pilot.pause(0.05)
            await app.pop_screen()
        elif what == "shot":
            consoles[number].stream.feed(b"not told yet")
            app.screen._compositor.render_strips()
        elif what == "type":
            app.views[0].focus()
            await pilot.pause()
            app.views[0].typing = not app.views[0].typing
        else:
            console.screen.resize(rng.randrange(5, 25), rng.randrange(10, 60))
            console.changed()
        return what

    async with app.run_test(size=(80, 40)) as pilot:
        await pilot.pause()
        for _ in range(size(20, 80)):
            for _ in range(rng.randrange(1, 6)):
                await act()
            for console in consoles:
                console.feed(b"\x1b[?2026l")
            await settled(pilot, app)
        assert app.direct > 10, "hardly anything went past the compositor"


def with_another_name(monkeypatch: pytest.MonkeyPatch, user: str, cls: type, name: str) -> None:
    """`cls` of Textual, which the module `user` makes objects of, calls `name` something else from now on."""
    source = inspect.getsource(cls)
    assert name in source
    module = sys.modules[cls.__module__]
    space = dict(vars(module))
    exec(f"from __future__ import annotations\n{source.replace(name, 'called_otherwise')}", space)
    monkeypatch.setattr(f"{user}.{cls.__name__}", space[cls.__name__])


@pytest.mark.parametrize(
    "name", ["_display", "_visible_widgets", "_dirty_lines", "_width", "CompositorUpdate"]
)
async def test_under_a_textual_without_these_names_the_compositor_paints(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    if name == "_display":
        monkeypatch.delattr(App, name)  # the one of `Wall`, which Textual calls, is ours
    elif name == "_visible_widgets":
        with_another_name(monkeypatch, "textual.screen", Compositor, name)
    elif name == "CompositorUpdate":
        monkeypatch.setattr(direct, name, None)
    else:
        with_another_name(monkeypatch, "textual.widget", StylesCache, name)
    consoles = [FakeConsole(b"", 38, 18) for _ in range(4)]
    app = Wall(consoles)
    rng = random.Random(7)
    async with app.run_test(size=(80, 40)) as pilot:
        assert missing(app.views[0]) == [name]
        for _ in range(size(6, 20)):
            for console in consoles:
                console.feed(b"".join(rng.choices(PIECES, k=9)) + b"\x1b[?2026l")
            await settled(pilot, app)
        app.query_one("#curtain").add_class("drawn")
        consoles[0].feed(b"\x1b[H" + b"behind " * 80)
        await settled(pilot, app)
        app.views[0].focus()
        app.views[0].typing = True
        await settled(pilot, app)
        assert all(view.frames for view in app.views)
        assert not app.direct
        assert not any(view._broken for view in app.views)


def test_a_textual_without_its_kind_of_update_is_no_reason_not_to_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr("textual._compositor.CompositorUpdate")
    spec = importlib.util.find_spec("amtui.widgets.direct")
    assert spec is not None
    assert spec.loader is not None
    again = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(again)
    assert again.CompositorUpdate is None


async def test_this_textual_has_all_names() -> None:
    app = Wall([FakeConsole(b"", 38, 18)])
    async with app.run_test(size=(80, 40)):
        assert missing(app.views[0]) == []


async def test_what_lies_over_a_console_stays_there() -> None:
    consoles = [FakeConsole(b"", 38, 18) for _ in range(4)]
    app = Wall(consoles)
    async with app.run_test(size=(80, 40)) as pilot:
        await pilot.pause()

        async def drawn(number: int) -> None:
            frames = app.views[number].frames
            consoles[number].feed(b"\x1b[H" + b"behind " * 80)
            await until(pilot, lambda: app.views[number].frames > frames)
            await pilot.pause(0.1)

        app.query_one("#curtain").add_class("drawn")
        await until(pilot, lambda: app.terminal.cell(7, 4)[2] == RED)
        await drawn(0)
        assert app.terminal.cell(7, 4)[2] == RED
        app.query_one("#curtain").remove_class("drawn")
        await settled(pilot, app)
        await app.push_screen(Another())
        await until(pilot, lambda: "another" in app.terminal.screen.row(0).text)
        await until(pilot, lambda: not app.screen._dirty_widgets)
        await pilot.pause(0.2)  # a dialogue that comes is painted twice; what is over it by then stays
        await drawn(1)
        assert app.terminal.screen.row(0).text.strip() == "another"
        assert "behind" in app.terminal.screen.row(1).text, "a console behind a dialogue stands still"
        await app.pop_screen()
        await settled(pilot, app)


@pytest.mark.parametrize("regions", [(), (Region(0, 2, 38, 1),)], ids=["all", "row"])
async def test_what_the_compositor_painted_meanwhile_is_known(regions: tuple[Region, ...]) -> None:
    """We paint one text, the compositor another one, and then it is the first one again."""
    consoles = [FakeConsole(b"", 38, 18) for _ in range(2)]
    app = Wall(consoles)
    one, two = b"\x1b[3;1H\x1b[31mone\x1b[m and more\x1b[H", b"\x1b[3;1H\x1b[31mtwo\x1b[m and more\x1b[H"
    async with app.run_test(size=(80, 40)) as pilot:
        await settled(pilot, app)
        for _ in range(3):
            consoles[1].feed(one)
            await settled(pilot, app)
            consoles[1].stream.feed(two)
            app.views[1].refresh(*regions)
            await until(pilot, lambda: "two" in app.terminal.screen.row(2).text)
            consoles[1].feed(one)
            await settled(pilot, app)


async def test_a_row_without_changes_writes_nothing_and_a_changed_cell_its_run() -> None:
    console = FakeConsole(b"\x1b[31mred\x1b[m plain \x1b[32mgreen\x1b[m\x1b[?25l", 38, 18)
    app = Wall([console])
    frames: list[str] = []
    real = app._display

    def display(screen: Any, renderable: Any) -> None:
        if isinstance(renderable, Frame):
            frames.append(renderable.render_segments(app.console))
        real(screen, renderable)

    app._display = display  # type: ignore[method-assign]
    async with app.run_test(size=(80, 40)) as pilot:
        await settled(pilot, app)
        console.feed(b"\x1b[H\x1b[31mRED")
        await settled(pilot, app)  # the compositor had it before; now we do
        frames.clear()
        console.feed(b"\x1b[Hred")
        await settled(pilot, app)
        assert [frame.count("plain") + frame.count("green") for frame in frames] == [0]
        assert len(frames[0]) < 60
        frames.clear()
        console.feed(b"\x1b[Hred")
        app.views[0]._flush()
        await settled(pilot, app)
        assert not frames


async def test_a_frame_that_the_program_has_begun_is_not_shown_half() -> None:
    console = FakeConsole(b"\x1b[Hold", 38, 18)
    app = Wall([console])
    loop = asyncio.get_running_loop()
    async with app.run_test(size=(80, 40)) as pilot:
        await settled(pilot, app)
        began = loop.time()
        console.feed(b"\x1b[?2026h\x1b[2J\x1b[Hhalf")
        await pilot.pause(0.05)
        if (
            loop.time() - began < HOLD
        ):  # else this computer was away for longer than a program may hold a frame
            assert "old" in app.terminal.screen.row(1).text
        console.feed(b"\x1b[Hwhole\x1b[?2026l")
        await until(pilot, lambda: "whole" in app.terminal.screen.row(1).text)
        console.feed(b"\x1b[?2026h\x1b[Hand then it dies")
        await until(pilot, lambda: "and then it dies" in app.terminal.screen.row(1).text)


def shown(strips: list[tuple[int, Any]], columns: int, system: ColorSystem) -> list[Any]:
    """The cells of a terminal on which these were written, each from its column on."""
    console = Console(color_system="truecolor")
    console._color_system = system
    terminal = Terminal(columns, 1)
    for column, strip in strips:
        terminal.write(f"\x1b[{column + 1}G{strip.render(console)}")
    return [terminal.cell(x, 0) for x in range(columns)]


@pytest.mark.parametrize("seed", range(size(8, 60)))
def test_a_line_written_over_another_is_that_line(seed: int) -> None:
    """Whatever is spared, for every colour system; and segments say the same as escape sequences."""
    rng = random.Random(seed)
    screen = Screen(columns=30, lines=4, history=0)
    stream = Stream(screen)
    system = rng.choice(list(ColorSystem)[:3])
    before: RowLine | None = None
    for _ in range(120):
        if rng.random() < 0.7:
            data = b"".join(rng.choices(PIECES, k=rng.randrange(1, 8)))
            stream.feed(data.replace(b"\x1b[?1049h", b"").replace(b"\x1b[?1049l", b""))
        left = rng.choice((0, 0, 0, 1, 5))
        width = rng.choice((30, 30, 24, 40))
        line = strip_of(screen.row(rng.randrange(2)), 30, rng.choice((DARK, DARK, LIGHT)), left, width)
        column, part = line.since(before)
        if before is None or before.cell_length != line.cell_length:
            assert (column, part) == (0, line), "a part of a line of another width"
        alone = shown([(0, line)], width, system)
        assert shown([(0, line), (column, part)], width, system) == alone
        assert shown([(0, before), (column, part)] if before else [(0, line)], width, system) == alone
        styles = [look.copy() for _, look, _ in line if look is not None]
        for look in styles:
            look._ansi = None  # Rich keeps the codes, whatever system they were for
        plain = Strip(map(Segment, [text for text, _, _ in line], styles), line.cell_length)
        assert shown([(0, plain)], width, system) == alone
        before = line
