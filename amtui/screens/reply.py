"""Answering the question an agent shows: its own options, in one window, sent through the guarded operation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from amtui.screens.desk import Desk


class _Sheet(NamedTuple):
    """A choice to put before the person, in the shape of `ops.context.Question`."""

    kind: str
    title: str
    text: str
    options: tuple[str, ...]
    expect: str = ""


async def answer(desk: Desk, name: str) -> None:
    """Ask what the agent offers, let the person choose, and send the choice.

    The operation reads the console again and refuses when the question is no longer the one that was shown.
    """
    look: Any = getattr(desk.ctx, "question", None)
    question = await look(name) if look is not None else None
    if question is None or not question.options:
        note = "no options could be read from the screen; answer in the console"
        desk.open_worker(name, typing=True, note=note)
        return
    labels = tuple(option.text for option in question.options)
    text = "\n\n".join(part for part in (question.text, question.detail) if part)
    chosen = await desk.ask(_Sheet("choice", f"{name} asks", text, labels))
    if chosen is not None:
        number = question.options[labels.index(chosen)].number
        desk.perform("reply", {"name": name, "choice": str(number)})
