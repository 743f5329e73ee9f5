"""Addresses in a console: OSC 8 links and what is written out as one. Data from the worker; nothing here opens any.

A link's text may lie about where it leads, its host may be dressed up as another: `Target` is the address as it would
really be opened, in ASCII, with what a person should know about it.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import quote, urlsplit

from amtui.emulator import lines
from amtui.emulator.lines import Line, Place, Stretch
from amtui.emulator.screen import Screen

LONGEST: Final = 2048
"""Characters in an address."""
MOST: Final = 99
"""Links listed."""

_WRITTEN: Final = re.compile(r"\b(?:https?://|mailto:)[^\s<>\"'`{}|\\^│]{3,2048}", re.IGNORECASE)
_LAST: Final = ".,;:!?…*_~"
_PAIRS: Final = {")": "(", "]": "[", "}": "{", "）": "（", "】": "【", "」": "「"}
_SCHEMES: Final = ("http", "https", "mailto")
_HOST: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?\.?|\[[0-9a-f:.]+\]", re.IGNORECASE)
_LOOKS_LIKE_HOST: Final = re.compile(
    r"(?:https?://)?((?:[\w-]+\.)+[^\W\d_]{2,})(?:[:/?#]\S*)?", re.IGNORECASE
)
_KEPT: Final = "/:@!$&'()*+,;=-._~%?#[]"
_MAIL_FIELDS: Final = frozenset({"subject", "body", "cc", "bcc", "to"})


class Link(NamedTuple):
    """One link on the screen."""

    address: str
    """As the worker sent it."""
    text: str
    """What is to be seen."""
    stretches: tuple[Stretch, ...]


class Target(NamedTuple):
    """An address that may be opened, and what to tell a person before."""

    address: str
    """ASCII; international hosts in punycode, other characters in percent signs."""
    host: str
    """Where it really leads; of a mail address, the part after the @."""
    warnings: tuple[str, ...]


class UnsafeLink(ValueError):
    """An address that will not be opened; the text says why."""


def target(link: Link) -> Target:
    """The address of a link as it would be opened. Raises UnsafeLink."""
    address = link.address.strip()
    if not address or len(address) > LONGEST:
        raise UnsafeLink(f"the address is empty or longer than {LONGEST} characters")
    if any(not c.isprintable() or c.isspace() or c in "\\" for c in address):
        raise UnsafeLink("the address holds characters that cannot be seen, blanks or backslashes")
    scheme, _, rest = address.partition(":")
    if scheme.lower() not in _SCHEMES:
        raise UnsafeLink(f"only http, https and mailto are opened, not {scheme[:20]!r}")
    if scheme.lower() == "mailto":
        return _mail(rest)
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise UnsafeLink(f"the address is not valid: {error}") from None
    real, warnings = _real_host(host), []
    if not host.isascii():
        warnings.append(f"the host is written in other letters: {host}")
    elif "xn--" in real:
        warnings.append("the host is an international one, shown in its ASCII form (xn--)")
    if "@" in parts.netloc:
        warnings.append(f"what stands before the @ is not the host; the host is {real}")
    netloc = (f"[{real}]" if ":" in real else real) + (f":{port}" if port is not None else "")
    user, at, _ = parts.netloc.rpartition("@")
    path = (
        parts.path
        + (f"?{parts.query}" if parts.query else "")
        + (f"#{parts.fragment}" if parts.fragment else "")
    )
    if said := _claims(link.text, real):
        warnings.insert(0, f"the text names another host: {said}")
    opened = f"{scheme.lower()}://{quote(user, safe=_KEPT)}{at}{netloc}{quote(path, safe=_KEPT)}"
    return Target(opened, real, tuple(warnings))


def _real_host(host: str) -> str:
    if not host:
        raise UnsafeLink("the address has no host")
    try:
        real = host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError:
        raise UnsafeLink("the host cannot be written in ASCII") from None
    if not _HOST.fullmatch(f"[{real}]" if ":" in real else real):
        raise UnsafeLink("the host is not valid")
    return real.lower()


def _mail(rest: str) -> Target:
    address, _, query = rest.partition("?")
    fields = {field.partition("=")[0].lower() for field in query.split("&") if field}
    if fields - _MAIL_FIELDS:
        raise UnsafeLink("a mail address that asks for more than subject, text and copies is not opened")
    if not address.isascii() or not re.fullmatch(r"[^@\s]+@[^@\s]+", address):
        raise UnsafeLink("the mail address is not valid")
    said = ("the mail would already be written",) if fields & {"body", "subject"} else ()
    more = f"?{quote(query, safe=_KEPT)}" if query else ""
    return Target(f"mailto:{quote(address, safe=_KEPT)}{more}", address.rpartition("@")[2].lower(), said)


def _claims(text: str, host: str) -> str:
    """Another host that the text of a link pretends to lead to, or nothing."""
    found = _LOOKS_LIKE_HOST.fullmatch(text.strip())
    if found is None:
        return ""
    said = found[1].lower()
    try:
        same = said.encode("idna").decode("ascii") if not said.isascii() else said
    except UnicodeError:
        return said
    return "" if same.removeprefix("www.") == host.removeprefix("www.").rstrip(".") else said


# ---- finding


def links(screen: Screen, start: int, stop: int) -> list[Link]:
    """The links in the lines that rows from `start` up to `stop` belong to, in reading order, each once."""
    found: list[Link] = []
    for line in lines.lines(screen, start, stop):
        marked = _marked(screen, line)
        taken = {(s.row, x) for link in marked for s in link.stretches for x in range(s.start, s.end)}
        written = [
            link
            for link in _written(line)
            if not any((s.row, x) in taken for s in link.stretches for x in (s.start, s.end - 1))
        ]
        found += sorted(marked + written, key=lambda link: link.stretches[0])
    seen: set[tuple[str, str]] = set()
    once = []
    for link in found:
        if any(start <= s.row < stop for s in link.stretches) and link[:2] not in seen:
            seen.add(link[:2])
            once.append(link)
    return once[:MOST]


def link_at(screen: Screen, place: Place) -> Link | None:
    """The link that a cell belongs to."""
    line = lines.line_at(screen, place.row)
    for link in (*_marked(screen, line), *_written(line)):
        if any(s.row == place.row and s.start <= place.column < s.end for s in link.stretches):
            return link
    return None


def _marked(screen: Screen, line: Line) -> list[Link]:
    """OSC 8 links of a line; one that goes on in the next row is one."""
    found: list[Link] = []
    mark: tuple[str, str] | None = None
    for number in range(line.number, line.number + len(line)):
        row = lines.row(screen, number)
        if row is None:
            continue
        x = 0
        for _, attr, count in row.runs():
            if attr.link is not None:
                stretch = Stretch(number, x, x + count)
                text = "".join(row.shown[x : x + count])
                if attr.link == mark and _adjacent(found[-1].stretches[-1], stretch):
                    last = found[-1]
                    found[-1] = Link(last.address, last.text + text, (*last.stretches, stretch))
                else:
                    found.append(Link(attr.link[1], text, (stretch,)))
            mark = attr.link
            x += count
    return [link._replace(text=" ".join(link.text.split())) for link in found]


def _adjacent(one: Stretch, other: Stretch) -> bool:
    return (other.row == one.row and other.start == one.end) or (
        other.row == one.row + 1 and other.start == 0
    )


def _written(line: Line) -> list[Link]:
    """Addresses that are written out."""
    if "://" not in line.text and "mailto:" not in line.text.lower():
        return []
    out = []
    for found in _WRITTEN.finditer(line.text):
        text = _without_end(found[0])
        start = found.start()
        if stretches := line.stretches(start, start + len(text)):
            out.append(Link(text, text, stretches))
    return out


def _without_end(text: str) -> str:
    """An address without the punctuation of the sentence that it ends, and without a bracket opened before it."""
    while text:
        last = text[-1]
        if last in _LAST or (last in _PAIRS and text.count(last) > text.count(_PAIRS[last])):
            text = text[:-1]
        else:
            break
    return text
