"""One small experiment per sequence: the bytes that tmux and we must understand alike. Screen of 20 × 6."""

from __future__ import annotations

ESC = b"\x1b"
CSI = b"\x1b["
FULL = b"abcdefghijklmnopqrst"
"""A line that fills the width: a wrap is pending after it."""
PAGE = b"\r\n".join(b"%d%s" % (n, b"xyz"[: n % 4]) for n in range(1, 7))
"""Six lines of different lengths."""
WIDE = "あいう漢字".encode()


def _named(prefix: str, variants: dict[str, bytes]) -> list[tuple[str, bytes]]:
    return [(f"{prefix} {name}", data) for name, data in variants.items()]


def _movement() -> list[tuple[str, bytes]]:
    out = []
    for final in "ABCDEFGd`HfZ":
        for parameter in ("", "0", "1", "3", "99", "2;3", "1:2", "7;;4"):
            move = f"\x1b[{parameter}{final}X".encode()
            out.append((f"move {parameter}{final}", b"ab\r\n\tcd" + move))
        out.append((f"move {final} from a pending wrap", b"k\r\n" + FULL + CSI + final.encode() + b"X"))
        out.append(
            (f"move {final} in a region", CSI + b"2;4r" + CSI + b"3;5H" + CSI + b"9" + final.encode() + b"X")
        )
    for final in "AB":
        for line in (1, 6):
            out.append(
                (
                    f"move {final} outside a region, line {line}",
                    b"\x1b[2;4r\x1b[%dH\x1b[9%sX" % (line, final.encode()),
                )
            )
    return out


def _erasing() -> list[tuple[str, bytes]]:
    out = []
    for final in "JK":
        for how in ("", "0", "1", "2", "3", "5", "7", "?0", "?2"):
            out.append(
                (
                    f"erase {how}{final}",
                    PAGE + b"\x1b[3;2H\x1b[44;1;4m\x1b[" + how.encode() + final.encode() + b"X",
                )
            )
        out.append((f"erase {final} at a pending wrap", FULL + CSI + final.encode() + b"X"))
        out.append((f"erase 1{final} at a pending wrap", FULL + b"\x1b[1" + final.encode() + b"X"))
        out.append((f"erase {final} from home", PAGE + b"\x1b[H\x1b[42m\x1b[" + final.encode()))
    return out


def _inserting() -> list[tuple[str, bytes]]:
    out = []
    for final in "LMP@XST":
        for count in ("", "0", "1", "2", "3", "4", "5", "99"):
            sequence = f"\x1b[{count}{final}".encode()
            out.append((f"edit {count}{final}", PAGE + b"\x1b[2;2H\x1b[41m" + sequence + b"X"))
            out.append((f"edit {count}{final} in a region", PAGE + b"\x1b[2;4r\x1b[3;2H" + sequence + b"X"))
        sequence = b"\x1b[2" + final.encode()
        out.append((f"edit {final} below a region", PAGE + b"\x1b[2;4r\x1b[5;2H" + sequence + b"X"))
        out.append((f"edit {final} at a pending wrap", FULL + sequence + b"X"))
        out.append((f"edit {final} across a wide character", WIDE + b"\x1b[1;4H" + sequence))
        out.append((f"edit {final} near the edge", FULL + b"\x1b[1;18H\x1b[9" + final.encode() + b"Z"))
    return out


_LOOKS = (
    "0 1 2 3 4 5 6 7 8 9 21 53 1;2;22 3;23 4;24 5;25 7;27 8;28 9;29 53;55 30 37 39 40 47 49 90 97 100 107 38;5;1"
    " 38;5;200 48;5;9 38;5;256 38;5 38;2;1;2;3 48;2;250;251;252 38;2;256;0;0 38;2;1 31;38;2;1 38;9;1 38 58;5;1"
    " 58;5;1;59 58;2;1;2;3 4:0 4:1 4:2 4:3 4:4 4:5 4:6 4:3:1 38:5:9 38:2:1:2:3 38:2::1:2:3 48:2::1:2:3"
    " 58:2::1:2:3 38:2:1:2 38:5:300 1;;31 ;1 99999999999999999999 1:2:3:4:5:6:7:8:9 10;11;12 1;4:3;38:2::9:8:7;48;5;4"
).split()


def _looks() -> list[tuple[str, bytes]]:
    out = [(f"SGR {look}", b"\x1b[31;4mA\x1b[" + look.encode() + b"mX\x1b[mY") for look in _LOOKS]
    out += [(f"SGR of {n} parameters", CSI + b"1;" * (n - 1) + b"4mX") for n in (22, 23, 24, 25, 40)]
    out += [(f"SGR of {n} digits", b"\x1b[" + b"0" * n + b"1mX") for n in (60, 62, 63, 64, 300)]
    return out


def _modes() -> list[tuple[str, bytes]]:
    out = []
    private = (
        1,
        3,
        5,
        6,
        7,
        12,
        25,
        45,
        47,
        66,
        69,
        1000,
        1001,
        1002,
        1003,
        1004,
        1005,
        1006,
        1007,
        1047,
        1048,
        1049,
    )
    for mode in (*private, 2004, 2026, 2031, 9001):
        out.append((f"mode ?{mode} on", b"ab\r\ncd\x1b[?%dhX" % mode))
        out.append((f"mode ?{mode} on and off", b"ab\r\ncd\x1b[?%dhXY\x1b[2;2H\x1b[?%dlZ" % (mode, mode)))
        out.append((f"mode ?{mode} off", b"ab\r\ncd\x1b[?%dlX" % mode))
    for mode in (2, 4, 12, 20, 34, 96, 800):
        out.append((f"mode {mode}", b"abc\x1b[1;1H\x1b[%dhXY\nZ\x1b[%dlW" % (mode, mode)))
    out += _named(
        "mode",
        {
            "several at once": b"a\x1b[?1000;1006;25hX\x1b[?25;7lY",
            "mouse replaced": b"\x1b[?1000h\x1b[?1003h\x1b[?1000l",
            "origin with a region": b"\x1b[2;4r\x1b[?6hX\x1b[9;9HY\x1b[1dZ\x1b[?6lW",
            "no wrap": b"\x1b[?7l0123456789012345678901234X\x08\x08Y",
            "no wrap, wide": b"\x1b[?7l0123456789012345678" + WIDE + b"X",
            "no wrap at a pending wrap": FULL + b"\x1b[?7lXY\x1b[2GZ",
            "insert at the edge": FULL + b"\x1b[1;19H\x1b[4hXYZ",
            "insert, wide": b"abcd\x1b[1;2H\x1b[4h" + WIDE,
            "alternate twice": b"a\x1b[?1049hb\x1b[?1049hc\x1b[?1049ld\x1b[?1049le",
            "alternate from a pending wrap": FULL + b"\x1b[?1049hb\x1b[?1049lX",
            "alternate keeps colours": b"\x1b[31ma\x1b[?1049h\x1b[32mb\x1b[?1049lc",
            "alternate with other off": b"a\x1b[3;3H\x1b[?1049hb\x1b[?47lc",
            "alternate, erase and scroll": b"1\r\n2\x1b[?1049h" + PAGE + b"\n\n\x1b[2J\x1b[?1049lX",
            "keypad": b"\x1b=\x1b[?1h",
            "reset": b"\x1b[31;?25l\x1b[?1;7;25l\x1b[2;4r\x1b)0\x0eab\x1bcqX",
            "soft reset": b"\x1b[1m\x1b[4h\x1b[!pX",
        },
    )
    return out


def _saving() -> list[tuple[str, bytes]]:
    return _named(
        "save",
        {
            "and restore": b"ab\x1b7\x1b[4;4Hc\x1b8X",
            "one slot": b"a\x1b7b\x1b7\x1b[4;4H\x1b8X\x1b8Y",
            "nothing saved": b"\x1b[3;3H\x1b[31mabc\x1b8X",
            "colours": b"\x1b[31m\x1b7\x1b[32mA\x1b8B",
            "pending wrap": FULL + b"\x1b7\x1b[3;1H\x1b8X",
            "CSI s and u": b"ab\x1b[s\x1b[4;4Hc\x1b[uX",
            "character set": b"\x1b(0\x1b7\x1b(Bq\x1b8q",
            "origin": b"\x1b[2;4r\x1b[?6h\x1b7\x1b[?6l\x1b8\x1b[1;1HX",
            "with margins set": b"ab\x1b[?69h\x1b[2;5sX\x1b[uY",
        },
    )


def _lines() -> list[tuple[str, bytes]]:
    margins = ("2;4", "", "0;0", "4;2", "3;3", "2;99", ";4", "2;", "2;0", "99;99", "2:3", "1;6")
    out = [
        (f"region {margin}", PAGE + b"\x1b[" + margin.encode() + b"rX\x1b[6;1H\nY\x1b[1;1H\x1bMZ")
        for margin in margins
    ]
    return out + _named(
        "lines",
        {
            "scroll": PAGE + b"\r\nX\r\nY",
            "scroll in a region": PAGE + b"\x1b[2;4r\x1b[4;1H\n\nX",
            "scroll with a colour": b"\x1b[6;1H\x1b[43mA\nB",
            "LF below a region": b"\x1b[2;4r\x1b[6;1Ha\nb",
            "RI above a region": b"\x1b[2;4r\x1b[1;3Ha\x1bMb",
            "IND NEL": b"a\x1bDb\x1bEc",
            "VT FF": b"a\x0bb\x0cc",
            "RI scrolls with a colour": PAGE + b"\x1b[H\x1b[45m\x1bMX",
            "wrap and back over it": FULL + b"A\x08\x08\x08X",
            "back over no wrap": b"abc\r\n\x08X",
            "back after the line was erased": FULL + b"A\x1b[1;5H\x1b[2K\x1b[2;1H\x08X",
            "back after lines moved": FULL + b"A\r\x1b[M\x08X",
            "wrap at the bottom": b"\x1b[6;1H" + FULL + b"AB",
            "wrap below a region": b"\x1b[2;4r\x1b[6;1H" + FULL + b"AB",
            "E everywhere": b"\x1b[2;4r\x1b[31mab\x1b#8X",
            "other sharps": b"a\x1b#3b\x1b#6c",
            "repeat": b"ab\x1b[4bX",
            "repeat too often": b"ab\x1b[99bX",
            "repeat after a colour": b"a\x1b[31m\x1b[3bX",
            "repeat after something unknown": b"a\x1b[?5W\x1b[3bX",
            "repeat a wide one": WIDE + b"\x1b[3bX",
            "repeat twice": b"a\x1b[2b\x1b[2bX",
            "repeat at a pending wrap": FULL + b"\x1b[2bX",
            "repeat line drawing": b"\x1b(0q\x1b[3b\x1b(Bq",
            "many lines": b"".join(b"line %d\r\n" % n for n in range(40)) + b"end",
            "many long lines": b"".join(b"%d " % n * 20 + b"\r\n" for n in range(12)),
        },
    )


def _tabs() -> list[tuple[str, bytes]]:
    return _named(
        "tab",
        {
            "stops": b"a\tb\tc\td",
            "at the edge": b"\x1b[1;19H\tX\tY",
            "at a pending wrap": FULL + b"\tX",
            "set": b"\x1b[3g\x1b[1;4H\x1bH\x1b[1;1H\tX\tY",
            "clear one": b"\x1b[1;9H\x1b[g\x1b[1;1H\tX",
            "clear with 1": b"\x1b[1;9H\x1b[1g\x1b[1;1H\tX",
            "set at a pending wrap": FULL + b"\x1bH\r\tX",
            "forward": b"a\x1b[2IX",
            "after reset": b"\x1b[3g\x1bc\tX",
        },
    )


_STRINGS = {
    "OSC": b"\x1b]",
    "OSC 0": b"\x1b]0;",
    "OSC 2": b"\x1b]2;",
    "OSC 4": b"\x1b]4;1;",
    "OSC 7": b"\x1b]7;file://h/",
    "OSC 8": b"\x1b]8;id=1;http://x/",
    "OSC 9": b"\x1b]9;4;1;",
    "OSC 11": b"\x1b]11;",
    "OSC 52": b"\x1b]52;c;",
    "OSC 133": b"\x1b]133;",
    "OSC 777": b"\x1b]777;notify;",
    "OSC 1337": b"\x1b]1337;File=",
    "OSC R": b"\x1b]R",
    "OSC P": b"\x1b]P1",
    "DCS": b"\x1bP",
    "DCS q": b"\x1bPq",
    "DCS $q": b"\x1bP$q",
    "DCS +q": b"\x1bP+q",
    "DCS 1:": b"\x1bP1:2q",
    "DCS @": b"\x1bP@",
    "DCS ~": b"\x1bP~",
    "DCS 1?": b"\x1bP1?q",
    "DCS tmux": b"\x1bPtmux;\x1b\x1b[31m",
    "APC": b"\x1b_G",
    "PM": b"\x1b^",
    "SOS": b"\x1bX",
    "title": b"\x1bk",
}
_ENDS = {
    "ST": b"\x1b\\",
    "BEL": b"\x07\x1b\\",
    "CAN": b"\x18",
    "SUB": b"\x1a",
    "a sequence": b"\x1b[32m\x1b\\",
    "ESC ESC ST": b"\x1b\x1b\\\x1b\\",
    "controls first": b"\r\n\x7f\x00\x1b\\",
}


def _strings() -> list[tuple[str, bytes]]:
    return [
        # within a DCS only ST ends it; without one tmux would wait
        (
            f"string {name} ended by {ending}",
            b"a" + start + b"aGk=" + end + b"X" + b"\x1b\\Y" * name.startswith("DCS"),
        )
        for name, start in _STRINGS.items()
        for ending, end in _ENDS.items()
    ]


def _broken() -> list[tuple[str, bytes]]:
    inside = {
        "ESC": b"\x1b",
        "CAN": b"\x18",
        "SUB": b"\x1a",
        "LF": b"\n",
        "BS": b"\x08",
        "DEL": b"\x7f",
        "NUL": b"\0",
    }
    inside |= {
        "SO": b"\x0e",
        "é": "é".encode(),
        "0xff": b"\xff",
        "0x9b": b"\x9b",
        "?": b"?",
        "space": b" ",
        "<": b"<",
    }
    out = [(f"{name} within CSI", b"ab\x1b[3" + char + b"1mX") for name, char in inside.items()]
    out += [
        (f"half a character, then {name}", b"a\xe6\xbc" + cut + b"\xa2\x1b\\X")
        for name, cut in {
            "a string with another": b"\x1b^x\xc3\xa9\x1b\\",
            "a string with half of one": b"\x1b^x\xc3\x1b\\",
            "a title": "\x1b]2;é\x07".encode(),
            "a long string": b"\x1b_" + b"x" * 300 + b"\x1b\\",
            "a string that CAN ends": b"\x1b_x\x18",
            "a device string": b"\x1bP1;2$qm\x1b\x1b\\",
            "a device string, malformed": b"\x1bP1:\n\xa2\x1b\\",
            "ESC # k": b"\x1b#k",
            "a byte within CSI": b"\x1b[3\xa21m",
            "a control within CSI": b"\x1b[3\r1m",
            "DEL": b"\x7f",
            "a control after ESC": b"\x1b\0",
        }.items()
    ]
    out += [
        (f"DCS {final}, then what only a string swallows", b"\x1bP" + final.encode() + b"\x1b[31mab\x1b\\Y")
        for final in "@Aq}~"
    ]
    out += [(f"{name} after ESC", b"ab\x1b" + char + b"7X") for name, char in inside.items()]
    for sequence in (
        *(
            "[!p",
            '[1"q',
            "[?2026$p",
            "[4$p",
            "[>q",
            "[>0q",
            "[c",
            "[>c",
            "[=c",
            "[5n",
            "[6n",
            "[?6n",
            "[?996n",
        ),
        *(
            "[>1u",
            "[?u",
            "[<u",
            "[=1;1u",
            "[>4;2m",
            "[>4m",
            "[>4n",
            "[?4m",
            "[?1r",
            "[?1s",
            "[14t",
            "[18t",
            "[22;0;0t",
        ),
        *(
            "[5 q",
            "[1 @",
            "[1;1;1;1;1;1*y",
            "[1'}",
            "[65;1;1;2;3$x",
            "[??1h",
            "[?1?h",
            "[1<h",
            "[ 1h",
            "[!!!!p",
            "[3W",
        ),
        *(
            "*B",
            "+B",
            "-A",
            ".A",
            "/A",
            " F",
            "%G",
            "%@",
            "n",
            "o",
            "Nx",
            "6",
            "l",
            "=",
            ">",
            "(A",
            ")A",
            "(0",
            "#",
            "(((0",
        ),
    ):
        out.append((f"sequence {sequence}", b"a\x1b" + sequence.encode() + b"XY"))
    utf8 = {
        "C1 CSI": b"a\xc2\x9b31mX",
        "C1 NEL": b"a\xc2\x85X",
        "raw C1": b"a\x9b31mX",
        "0xff": b"a\xff\xfeX",
        "overlong": b"a\xc0\x80X",
        "surrogate": b"a\xed\xa0\x80X",
        "beyond the end": b"a\xf4\x90\x80\x80X",
        "cut by a letter": b"a\xe3\x81X",
        "two leads": b"a\xe3\xe3\x81\x82X",
        "replacement": "a\ufffdX".encode(),
        "lone continuation": b"a\x81\x82X",
    }
    return out + _named("UTF-8", utf8)


def _wide() -> list[tuple[str, bytes]]:
    texts = {
        "wide": "aあb",
        "at the edge": "0123456789012345678あX",
        "family": "👨\u200d👩\u200d👧X",
        "joiner and ASCII": "👨\u200dab❤X",
        "joiner first": "\u200d👩X",
        "VS16": "❤\ufe0fXYZ",
        "VS15": "⌚\ufe0eX",
        "flag": "🇩🇪X",
        "skin": "👍🏽X",
        "ZWSP": "a\u200bXYZ",
        "BOM": "a\ufeffXYZ",
        "soft hyphen": "a\u00adX",
        "RLM": "a\u200fXYZ",
        "no-break space": "a\u00a0X",
        "jamo": "\u1100\u1161\u11a8X",
        "private use": "\ue0b0X",
        "keycap": "1\ufe0f\u20e3X",
        "unassigned": "\U000e0fffX",
        "combining": "e\u0301X",
        "two combining": "q\u0301\u0302X",
        "combining first": "\u0301X",
        "combining on a pending wrap": "01234567890123456789\u0301X",
        "combining on wide": "あ\u3099X",
        "combining after a move": "ab\x1b[3;3H\u0301X",
        "many combining": "e" + "\u0301" * 40 + "X",
        "line drawing": "\x1b(0lqqkx\x1b(Bx",
        "line drawing G1": "\x1b)0\x0elqk\x0fX",
        "line drawing, every character": "\x1b(0" + "".join(map(chr, range(0x2A, 0x7F))),
        "line drawing onto wide": "ああ\x1b[1;2H\x1b(0qq",
        "line drawing, joined": "\x1b(0uj\u200dhé",
        "line drawing, many combining": "\x1b(0q" + "\u0301" * 10 + "X",
        "underline colours over a double underline": "\x1b[?7l\x1b[4:2mab\r\x1b[4:2;58;5;3mab",
        "underline colours over an underline": "\x1b[?7l\x1b[4mab\r\x1b[4;58;5;3mab",
        "blank with an underline colour": "\x1b[58;5;3m\x1b[?7l a",
        "blank in line drawing is used": "a\r\n\x1b(0 \x1b(B\x1bc",
        "blank where nothing wraps is not used": "a\r\n\x1b[?7l \x1bc",
        "blank inserted after a wrap is used": "\x1b[4h" + "a" * 20 + " \x1bc",
        "lines": "\r\n".join(["┌─┐", "│é│", "└─┘"]),
        "many wide": "漢" * 35,
        "narrow and wide": "aé漢b" * 9,
    }
    out = _named("text", {name: text.encode() for name, text in texts.items()})
    for column in range(1, 6):
        for name, char in (
            ("ASCII", "X"),
            ("narrow", "é"),
            ("wide", "字"),
            ("combining", "\u0301"),
            ("ASCII run", "XYZ"),
        ):
            out.append((f"{name} onto wide at {column}", ("あいう" + f"\x1b[1;{column}H" + char).encode()))
        for final in "KX@P":
            out.append(
                (f"{final} half of a wide one at {column}", f"あいう\x1b[1;{column}H\x1b[{final}é".encode())
            )
    return out


PROBES: list[tuple[str, bytes]] = [
    *_movement(),
    *_erasing(),
    *_inserting(),
    *_looks(),
    *_modes(),
    *_saving(),
    *_lines(),
    *_tabs(),
    *_strings(),
    *_broken(),
    *_wide(),
]
