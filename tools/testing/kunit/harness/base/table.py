# SPDX-License-Identifier: GPL-2.0
"""Text for a terminal or a mail: in columns, not too wide, and nothing that cannot be printed."""

from collections.abc import Sequence

WIDTH = 78


def table(rows: Sequence[Sequence[object]], align: str = "lr", gap: int = 2) -> list[str]:
    """A line for each row, with columns as wide as what is in them.

    align has an l or an r for each column; its last letter holds for all that follow.
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
    """A line that is not too long for a mail."""
    line = line.rstrip()
    return line if len(line) <= width else line[: width - 3] + "..."


def printable(text: str) -> str:
    """A text without control characters: XML allows none, and a console may say anything."""
    return "".join(c if c in "\n\t" or c.isprintable() else "?" for c in text)
