# SPDX-License-Identifier: GPL-2.0
"""The origin map as a picture: system RAM, the memmap's addresses, the device."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.base import picture
from harness.base.picture import MARGIN
from harness.base.table import size
from harness.originmap.draw import DEVICE, HOLE, MOST_CELLS, RAM, Map, Run, leaves, spent

_TITLE = "Where a device's struct pages lie"
# From a panel's top: system RAM, the memmap's addresses, the device.
_ROWS = {RAM: 92, "memmap": 154, DEVICE: 216}
_HEIGHT = 26
_END = 390
# The width of a block in pages. To scale, pages would be invisible.
_BLOCK_UNITS = 9
# The width of all cells, and of offered pages that are unused.
_MEMMAP = 262
_GAP = 24
# Colour, hatch and edge of a cell.
_CELLS: dict[str, dict[str, Any]] = {
    RAM: {"fc": picture.ORANGE, "hatch": "//", "ec": "#5c3d00", "lw": 0},
    DEVICE: {"fc": picture.BLUE, "hatch": "\\\\", "ec": picture.PALE, "lw": 0},
    HOLE: {"fc": "none", "ec": "#cf222e", "ls": "--"},
}
_REST = {"fc": picture.PALE, "ec": picture.GREY}
_FREE = {"fc": "none", "ec": picture.GREY, "ls": "--"}
_KEPT = {"fc": picture.DARK}


@dataclass(frozen=True)
class _Strip:
    """A run as drawn: its position among the addresses (x) and in memory (to)."""

    run: Run
    x: float
    to: float
    width: float
    cells: int


def figure(panels: Sequence[tuple[str, Map]], columns: int = 2) -> str:
    """Maps with titles, side by side, as a self-contained SVG element."""
    return picture.draw(_paint, panels, min(columns, len(panels)))


def _paint(panels: Sequence[tuple[str, Map]], columns: int) -> str:
    from matplotlib.patches import Patch

    foot = 70 if columns > 1 else 114
    sheet, axes = picture.sheet(_TITLE, [title for title, _ in panels], columns, foot)
    for panel, (_, drawn) in zip(axes, panels):
        _panel(panel, drawn)
    entries = [
        Patch(label="memmap in system RAM", **_CELLS[RAM]),
        Patch(label="memmap in the device", **_CELLS[DEVICE]),
        Patch(label="kept by the driver", **_KEPT),
        Patch(label="offered, unused", **_FREE),
        Patch(label="everything else", **_REST),
    ]
    picture.legend(sheet, entries, foot, 5 if columns > 1 else 2)
    words = f"Each box is one entry of the page tables; a block is as wide as {_BLOCK_UNITS} pages."
    width, height = sheet.get_size_inches() * 72
    sheet.text(MARGIN / width, 22 / height, words, size=11, color=picture.SOFT)
    what = "; ".join(f"{title}: {spent(drawn)}" for title, drawn in panels)
    return picture.svg(sheet, _TITLE, what)


def _panel(panel: Any, drawn: Map) -> None:
    ram, memmap, device = _ROWS.values()
    panel.text(MARGIN, 43, spent(drawn), size=12)
    soft = {"size": 11, "color": picture.SOFT}
    panel.text(MARGIN, 60, f"mapped by {leaves(drawn)}", size=12, color=picture.SOFT)
    tables = f"{drawn.tables} page-table page{'' if drawn.tables == 1 else 's'} added"
    panel.text(MARGIN, ram - 6, "system RAM", **soft)
    panel.text(_END, ram - 6, tables, ha="right", **soft)
    panel.text(MARGIN, memmap + 17, "memmap", **soft)
    panel.text(MARGIN, device + _HEIGHT + 15, f"device, {size(drawn.pages * drawn.page)}", **soft)
    strips = _place(drawn)
    panel.broken_barh([(MARGIN, _END - MARGIN)], (ram, _HEIGHT), **_REST)
    _device(panel, drawn, strips)
    for strip in strips:
        if strip.run.origin != HOLE:
            _ribbon(panel, strip)
    for strip in strips:
        _cells(panel, strip, strip.x, memmap)
        if strip.run.origin != HOLE:
            _cells(panel, strip, strip.to, _ROWS[strip.run.origin])


def _device(panel: Any, drawn: Map, strips: Sequence[_Strip]) -> None:
    """Draw the pages that the driver keeps, those that it offers, and the data."""
    row = (_ROWS[DEVICE], _HEIGHT)
    inside = [s.to + s.width for s in strips if s.run.origin == DEVICE]
    offered = MARGIN + _kept(drawn)
    data = max(inside) + _GAP if inside else offered + 4 * _GAP
    panel.broken_barh([(MARGIN, offered - MARGIN)], row, **_KEPT)
    panel.broken_barh([(offered, data - offered)], row, **_FREE)
    panel.broken_barh([(data, _END - data)], row, **_REST)


def _ribbon(panel: Any, strip: _Strip) -> None:
    """Connect the addresses of a run with its place in memory."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    ends = sorted([(_ROWS["memmap"], strip.x), (_ROWS[strip.run.origin], strip.to)])
    (top, above), (bottom, below) = ends
    top, middle = top + _HEIGHT, (top + _HEIGHT + bottom) / 2
    curve = [Path.CURVE4] * 3

    def down(x: float) -> list[tuple[float, float]]:
        return [(above + x, top), (above + x, middle), (below + x, middle), (below + x, bottom)]

    sides = [*down(0), *reversed(down(strip.width))]
    path = Path(sides, [Path.MOVETO, *curve, Path.LINETO, *curve])
    colour = _CELLS[strip.run.origin]["fc"]
    panel.add_patch(PathPatch(path, fc=colour, alpha=0.35, lw=0))
    for number in range(1, strip.cells):
        path = Path(down(strip.width * number / strip.cells), [Path.MOVETO, *curve])
        panel.add_patch(PathPatch(path, fc="none", ec=picture.PANEL, lw=0.8))


def _cells(panel: Any, strip: _Strip, x: float, y: float) -> None:
    panel.broken_barh([(x, strip.width)], (y, _HEIGHT), **_CELLS[strip.run.origin])
    edges = [x + strip.width * number / strip.cells for number in range(strip.cells + 1)]
    panel.vlines(edges, y, y + _HEIGHT, color=picture.PANEL, lw=1.2, zorder=1)


def _place(drawn: Map) -> list[_Strip]:
    """Place each run among the addresses, and in memory by page frame."""
    cells = {run: _count_cells(drawn, run) for run in drawn.runs}
    units = {run: cells[run] * (_BLOCK_UNITS if run.leaf > drawn.page else 1) for run in drawn.runs}
    unit = min(_MEMMAP / max(sum(units.values()), 1), 16.0)
    to: dict[Run, float] = {}
    inside = [run.pfn for run in drawn.runs if run.origin == DEVICE]
    aligned = _GAP if inside and min(inside) > drawn.offered[0] else 0
    for origin, x in ((DEVICE, MARGIN + _kept(drawn) + aligned), (RAM, MARGIN + 78.0)):
        last = -1
        for run in sorted((r for r in drawn.runs if r.origin == origin), key=lambda r: r.pfn):
            x += 0 if last in (-1, run.pfn) else min(unit, 4)
            to[run] = x
            x += units[run] * unit
            last = run.pfn + run.pages
    x = MARGIN + 62.0
    strips = []
    for run in drawn.runs:
        strips.append(_Strip(run, x, to.get(run, x), units[run] * unit, cells[run]))
        x += units[run] * unit
    return strips


def _kept(drawn: Map) -> float:
    """The width of the pages that the driver keeps."""
    return 16.0 if drawn.offered[0] > drawn.pfn else 0.0


def _count_cells(drawn: Map, run: Run) -> int:
    leaves_there = run.pages * drawn.page // run.leaf if run.leaf else 1
    return max(1, min(leaves_there, MOST_CELLS))
