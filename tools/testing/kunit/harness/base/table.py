# SPDX-License-Identifier: GPL-2.0
"""Plain text: tables, line length, printable characters, sizes."""

from collections.abc import Sequence

WIDTH = 78


def table(rows: Sequence[Sequence[object]], align: str = "lr", gap: int = 2) -> list[str]:
    """Align rows in columns, a line for each row.

    align has "l" or "r" for each column. The last letter applies to all further columns.
    """
    cells = [[str(cell) for cell in row] for row in rows]
    count = max(map(len, cells), default=0)
    widths = [max(len(row[n]) for row in cells if n < len(row)) for n in range(count)]
    sides = align + align[-1] * count
    lines = (
        (" " * gap).join(
            cell.ljust(width) if side == "l" else cell.rjust(width)
            for cell, width, side in zip(row, widths, sides)
        )
        for row in cells
    )
    return [line.rstrip() for line in lines]


def cut(line: str, width: int = WIDTH) -> str:
    """Shorten a line to the width of a mail."""
    line = line.rstrip()
    return line if len(line) <= width else line[: width - 3] + "..."


def printable(text: str) -> str:
    """Replace control characters, which XML does not allow."""
    return "\n".join(map(_printable, text.split("\n")))


def _printable(line: str) -> str:
    if line.replace("\t", "").isprintable():
        return line
    return "".join(c if c == "\t" or c.isprintable() else "?" for c in line)


def size(count: int) -> str:
    """A number of bytes with a unit."""
    for unit, shift in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if count >= 10 << shift or (count >= 1 << shift and count % (1 << shift) == 0):
            text = f"{count / (1 << shift):.1f}"
            return f"{text[:-2] if text.endswith('.0') else text} {unit}"
    return f"{count} bytes"
