# SPDX-License-Identifier: GPL-2.0
"""Text in columns."""

from collections.abc import Sequence


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
