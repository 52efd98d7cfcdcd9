# SPDX-License-Identifier: GPL-2.0
"""What a memmap is backed by: read from a console log, drawn as text and as SVG.

mm/tests/origin_map.h has the format of the lines.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from harness.base.errors import KunitError

DEVICE, RAM, HOLE = "device", "ram", "hole"
_ORIGINS = {DEVICE: "device", RAM: "system RAM", HOLE: "nothing"}
_LINE = re.compile(r"origin-map: (begin|run|end) (.*)$")
_FIELDS: dict[str, tuple[str, ...]] = {
    "begin": ("page", "pfn", "pages", "offered"),
    "run": ("at", "pages", "leaf", "from", "pfn"),
    "end": ("pages", "tables"),
}


class MapError(KunitError):
    """A log's map cannot be read."""


@dataclass(frozen=True)
class Run:
    """Pages of the memmap that are backed alike.

    at: the first, counted from the memmap's start; leaf: bytes that a page-table
    entry maps there; origin: DEVICE, RAM or HOLE; pfn: the first page frame, the
    others follow it.
    """

    at: int
    pages: int
    leaf: int
    origin: str
    pfn: int


@dataclass(frozen=True)
class Map:
    """A device's memmap.

    page: bytes of a page; pfn, pages: the device's page frames; offered: the
    first of those for the memmap, and how many; memmap: its pages, of which the
    runs may show the first only; tables: page-table pages added for it.
    """

    page: int
    pfn: int
    pages: int
    offered: tuple[int, int]
    memmap: int
    tables: int
    runs: tuple[Run, ...]

    def bytes_from(self, origin: str) -> int:
        """How much of the memmap comes from there."""
        return self.page * sum(run.pages for run in self.runs if run.origin == origin)


# --- Reading --------------------------------------------------------------


def read(log_text: str) -> list[Map]:
    """The maps in a console log, complete ones. Raises MapError."""
    maps: list[Map] = []
    begun: dict[str, str] = {}
    runs: list[Run] = []
    for line in log_text.splitlines():
        match = _LINE.search(line.rstrip())
        if not match:
            continue
        kind, fields = match.group(1), _read_fields(match.group(1), line, match.group(2))
        try:
            if kind == "begin":
                begun, runs = fields, []
            elif kind == "run":
                runs.append(_read_run(fields))
            elif begun:
                maps.append(_read_map(begun, runs, fields))
                begun = {}
        except ValueError as error:
            raise _bad(line) from error
    return maps


def _read_fields(kind: str, line: str, text: str) -> dict[str, str]:
    fields = dict(word.split("=", 1) for word in text.split() if "=" in word)
    if any(name not in fields for name in _FIELDS[kind]):
        raise _bad(line)
    return fields


def _read_run(fields: dict[str, str]) -> Run:
    at, pages, leaf, pfn = (int(fields[name], 0) for name in ("at", "pages", "leaf", "pfn"))
    if fields["from"] not in _ORIGINS:
        raise ValueError(fields["from"])
    return Run(at, pages, leaf, fields["from"], pfn)


def _read_map(begun: dict[str, str], runs: Sequence[Run], ended: dict[str, str]) -> Map:
    first, _, count = begun["offered"].partition("+")
    return Map(
        int(begun["page"]),
        int(begun["pfn"], 0),
        int(begun["pages"]),
        (int(first, 0), int(count)),
        int(ended["pages"]),
        int(ended["tables"]),
        tuple(runs),
    )


def _bad(line: str) -> MapError:
    return MapError(
        f"not a line of an origin map: {line.strip()}",
        "see mm/tests/origin_map.h for the format; is the log of these suites?",
    )


# --- Text -----------------------------------------------------------------

_LETTERS = {DEVICE: "d", RAM: "r", HOLE: "."}
_BLOCK_LETTERS = 12
_MOST_CELLS = 32


def ascii_map(title: str, drawn: Map) -> str:
    """A map for a terminal, at most 78 columns wide."""
    lines = [f"{title}: {spent(drawn)}"]
    bar = "|".join(_letters(drawn, run) for run in drawn.runs)
    lines += [f"  |{bar}|"[i : i + 78] for i in range(0, len(bar) + 4, 78)]
    lines.append("  memmap at   pages   mapped by  lies in     page frames")
    for run in drawn.runs:
        leaf = f"{size(run.leaf)} {'pages' if run.leaf == drawn.page else 'blocks'}"
        where = f"{run.pfn:#x} to {run.pfn + run.pages - 1:#x}" if run.leaf else "-"
        lines.append(
            f"  {size(run.at * drawn.page):>9} {run.pages:7}  {leaf if run.leaf else '-':>11}"
            f"  {_ORIGINS[run.origin]:10}  {where}"
        )
    return "\n".join(lines)


LEGEND = "d: a page in the device; r: in system RAM; capitals: a block; .: nothing there"


def _letters(drawn: Map, run: Run) -> str:
    letter = _LETTERS[run.origin]
    if run.leaf > drawn.page:
        blocks = min(max(run.pages * drawn.page // run.leaf, 1), 4)
        return "|".join([letter.upper() * _BLOCK_LETTERS] * blocks)
    return letter * min(run.pages, _MOST_CELLS)


def spent(drawn: Map) -> str:
    """In words, where the memory of the memmap came from."""
    parts = [
        f"{size(drawn.bytes_from(origin))} in {'the device' if origin == DEVICE else name}"
        for origin, name in _ORIGINS.items()
        if origin != HOLE and drawn.bytes_from(origin)
    ]
    return f"memmap of {size(drawn.pages * drawn.page)}: {', '.join(parts) or 'not mapped'}"


def leaves(drawn: Map) -> str:
    """In words, what page-table entries map the memmap."""
    counts: dict[int, int] = {}
    for run in drawn.runs:
        if run.leaf:
            counts[run.leaf] = counts.get(run.leaf, 0) + run.pages * drawn.page // run.leaf
    words = [
        f"{count} {'pages' if leaf == drawn.page else 'blocks'} of {size(leaf)}"
        for leaf, count in counts.items()
    ]
    return " and ".join(words) or "nothing"


def size(count: int) -> str:
    """Bytes, as one says it."""
    for unit, shift in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if count >= 10 << shift or (count >= 1 << shift and count % (1 << shift) == 0):
            text = f"{count / (1 << shift):.1f}"
            return f"{text[:-2] if text.endswith('.0') else text} {unit}"
    return f"{count} bytes"


# --- SVG ------------------------------------------------------------------

_TITLE = "Where a device's struct pages lie"
_WIDTH = 408  # of a panel
_BAR = 372
_MARGIN = 18
_PANEL = 276
_HEAD = 46
_FOOT = 70
# From the panel's top: system RAM, the memmap's addresses, the device.
_ROWS = (92, 154, 216)
_HEIGHT = 26
# A block is drawn as wide as so many pages: to scale, one would not see these.
_BLOCK_UNITS = 9
_MEMMAP = 262  # what all cells may take
_GAP = 24  # pages on offer that alignment skipped, or that were not needed
_STYLE = """
.om text{font-family:system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;fill:#1f2328}
.om .om-soft{fill:#59636e}
.om .om-bg{fill:#ffffff}.om .om-panel{fill:#f6f8fa;stroke:#d1d9e0}
.om .om-rest{fill:#e3e7eb;stroke:#8c959f}.om .om-free{fill:none;stroke:#8c959f;stroke-dasharray:3 2}
.om .om-keep{fill:#6e7781}.om .om-hole{fill:none;stroke:#cf222e;stroke-dasharray:2 2}
.om .om-device{fill:#0072b2}.om .om-ram{fill:#e69f00}
.om .om-dot{fill:#ffffff;fill-opacity:.85}.om .om-stripe{stroke:#5c3d00;stroke-width:1.6}
.om .om-edge{fill:none;stroke:#f6f8fa;stroke-width:1.2}
.om .om-thin{stroke-width:.8}.om .om-to{fill-opacity:.32}
@media (prefers-color-scheme:dark){
.om text{fill:#f0f6fc}.om .om-soft{fill:#9198a1}
.om .om-bg{fill:#0d1117}.om .om-panel{fill:#151b23;stroke:#3d444d}
.om .om-rest{fill:#2a313c;stroke:#656c76}.om .om-free{stroke:#656c76}
.om .om-keep{fill:#9198a1}
.om .om-device{fill:#3d9fe0}.om .om-dot{fill:#0d1117}
.om .om-edge{stroke:#151b23}
.om .om-to{fill-opacity:.4}
}
"""
_DEFS = """<defs>
<pattern id="om-dots" width="6" height="6" patternUnits="userSpaceOnUse">\
<circle class="om-dot" cx="3" cy="3" r="1"/></pattern>
<pattern id="om-stripes" width="6" height="6" patternUnits="userSpaceOnUse" \
patternTransform="rotate(45)"><path class="om-stripe" d="M0 0V6"/></pattern>
</defs>"""
_PATTERNS = {DEVICE: "om-dots", RAM: "om-stripes"}


@dataclass(frozen=True)
class _Strip:
    """A run, as it is drawn among the addresses (x) and where it lies (to)."""

    run: Run
    x: float
    to: float
    width: float
    cells: int


def svg(log_text: str) -> str:
    """The maps of a console log as one SVG element, "" if there is none. Raises MapError."""
    maps = read(log_text)
    return figure([(f"{size(m.page)} pages", m) for m in maps], 1) if maps else ""


def figure(panels: Sequence[tuple[str, Map]], columns: int = 2) -> str:
    """Maps with their titles side by side, as one SVG element that needs nothing else."""
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    width = columns * (_WIDTH + _MARGIN) + _MARGIN
    height = _HEAD + rows * (_PANEL + _MARGIN) + (_FOOT if columns > 1 else _FOOT + 44)
    what = "; ".join(f"{title}: {spent(drawn)}" for title, drawn in panels)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="om" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" aria-labelledby="om-title om-desc">',
        f'<title id="om-title">{_TITLE}</title>',
        f'<desc id="om-desc">{escape(what)}</desc>',
        f"<style>{_STYLE}</style>",
        _DEFS,
        f'<rect class="om-bg" width="{width}" height="{height}" rx="8"/>',
        _text(_MARGIN, 30, _TITLE, 17, bold=True),
    ]
    for number, (title, drawn) in enumerate(panels):
        x = _MARGIN + number % columns * (_WIDTH + _MARGIN)
        y = _HEAD + number // columns * (_PANEL + _MARGIN)
        parts.append(f'<g transform="translate({x},{y})">')
        parts += _panel(title, drawn)
        parts.append("</g>")
    parts += _legend(_HEAD + rows * (_PANEL + _MARGIN) + 4, columns)
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def _panel(title: str, drawn: Map) -> Iterator[str]:
    yield f'<rect class="om-panel" x="0.5" y="0.5" width="{_WIDTH - 1}" height="{_PANEL - 1}" rx="6"/>'
    yield _text(_MARGIN, 24, title, 14, bold=True)
    yield _text(_MARGIN, 43, spent(drawn), 12)
    yield _text(_MARGIN, 60, f"mapped by {leaves(drawn)}", 12, soft=True)
    ram, memmap, device = _ROWS
    strips = _place(drawn)
    for strip in strips:
        yield from _ribbon(strip)
    yield _rect("om-rest", _MARGIN, ram, _BAR)
    yield from _device_bar(drawn, strips)
    for strip in strips:
        yield from _cells(strip.x, memmap, strip)
        if strip.run.origin != HOLE:
            yield from _cells(strip.to, ram if strip.run.origin == RAM else device, strip)
    yield from _captions(drawn)


def _place(drawn: Map) -> list[_Strip]:
    """Find each run its place among the addresses, and in memory by page frame."""
    cells = {run: _count_cells(drawn, run) for run in drawn.runs}
    units = {run: cells[run] * (_BLOCK_UNITS if run.leaf > drawn.page else 1) for run in drawn.runs}
    unit = min(_MEMMAP / max(sum(units.values()), 1), 16.0)
    to: dict[Run, float] = {}
    inside = [run.pfn for run in drawn.runs if run.origin == DEVICE]
    aligned = _GAP if inside and min(inside) > drawn.offered[0] else 0
    for origin, x in ((DEVICE, _MARGIN + _kept(drawn) + aligned), (RAM, _MARGIN + 78.0)):
        last = -1
        for run in sorted((r for r in drawn.runs if r.origin == origin), key=lambda r: r.pfn):
            x += 0 if last in (-1, run.pfn) else min(unit, 4)
            to[run] = x
            x += units[run] * unit
            last = run.pfn + run.pages
    x = _MARGIN + 62.0
    strips = []
    for run in drawn.runs:
        strips.append(_Strip(run, x, to.get(run, x), units[run] * unit, cells[run]))
        x += units[run] * unit
    return strips


def _kept(drawn: Map) -> float:
    """The width of what the driver keeps to itself."""
    return 16.0 if drawn.offered[0] > drawn.pfn else 0.0


def _count_cells(drawn: Map, run: Run) -> int:
    leaves = run.pages * drawn.page // run.leaf if run.leaf else 1
    return max(1, min(leaves, _MOST_CELLS))


def _ribbon(strip: _Strip) -> Iterator[str]:
    ram, memmap, device = _ROWS
    if strip.run.origin == RAM:
        top, bottom, above, below = ram + _HEIGHT, memmap, strip.to, strip.x
    elif strip.run.origin == DEVICE:
        top, bottom, above, below = memmap + _HEIGHT, device, strip.x, strip.to
    else:
        return
    width, middle = strip.width, (top + bottom) / 2
    yield (
        f'<path class="om-{strip.run.origin} om-to" d="M{above:.1f} {top}'
        f"C{above:.1f} {middle} {below:.1f} {middle} {below:.1f} {bottom}H{below + width:.1f}"
        f'C{below + width:.1f} {middle} {above + width:.1f} {middle} {above + width:.1f} {top}Z"/>'
    )
    steps = [width * n / strip.cells for n in range(1, strip.cells)]
    lines = "".join(
        f"M{above + x:.1f} {top}C{above + x:.1f} {middle} {below + x:.1f} {middle} "
        f"{below + x:.1f} {bottom}"
        for x in steps
    )
    yield f'<path class="om-edge om-thin" d="{lines}"/>'


def _cells(x: float, y: int, strip: _Strip) -> Iterator[str]:
    origin = strip.run.origin
    yield _rect(f"om-{origin}", x, y, strip.width)
    if origin in _PATTERNS:
        yield _rect("", x, y, strip.width, f' fill="url(#{_PATTERNS[origin]})"')
    edges = "".join(
        f"M{x + strip.width * n / strip.cells:.1f} {y}v{_HEIGHT}" for n in range(strip.cells + 1)
    )
    yield f'<path class="om-edge" d="{edges}"/>'


def _device_bar(drawn: Map, strips: Sequence[_Strip]) -> Iterator[str]:
    """What the driver keeps, what it offers, and the data behind."""
    device = _ROWS[2]
    inside = [s.to + s.width for s in strips if s.run.origin == DEVICE]
    kept = _kept(drawn)
    end = max(inside) + _GAP if inside else _MARGIN + kept + 4 * _GAP
    if kept:
        yield _rect("om-keep", _MARGIN, device, kept)
    yield _rect("om-free", _MARGIN + kept, device, end - _MARGIN - kept)
    yield _rect("om-rest", end, device, _MARGIN + _BAR - end)


def _captions(drawn: Map) -> Iterator[str]:
    ram, memmap, device = _ROWS
    tables = f"{drawn.tables} page-table page{'' if drawn.tables == 1 else 's'} added"
    yield _text(_MARGIN, ram - 6, "system RAM", 11, soft=True)
    yield _text(_MARGIN + _BAR, ram - 6, tables, 11, soft=True, end=True)
    yield _text(_MARGIN, memmap + 17, "memmap", 11, soft=True)
    yield _text(
        _MARGIN, device + _HEIGHT + 15, f"device, {size(drawn.pages * drawn.page)}", 11, soft=True
    )


def _legend(y: int, columns: int) -> Iterator[str]:
    entries = (
        (("om-ram", "om-stripes"), "memmap in system RAM"),
        (("om-device", "om-dots"), "memmap in the device"),
        (("om-keep", ""), "kept by the driver"),
        (("om-free", ""), "offered, unused"),
        (("om-rest", ""), "everything else"),
    )
    x = float(_MARGIN)
    right = columns * (_WIDTH + _MARGIN)
    for (css, pattern), words in entries:
        width = 25 + 7.1 * len(words) + 14
        if x + width > right:
            x, y = float(_MARGIN), y + 22
        yield f'<rect class="{css}" x="{x:.0f}.5" y="{y}.5" width="18" height="13"/>'
        if pattern:
            yield f'<rect x="{x:.0f}.5" y="{y}.5" width="18" height="13" fill="url(#{pattern})"/>'
        yield _text(x + 25, y + 11, words, 12)
        x += width
    y += 38
    yield _text(
        _MARGIN,
        y,
        "Each box is one entry of the page tables; a block is as wide as " f"{_BLOCK_UNITS} pages.",
        11,
        soft=True,
    )


def _rect(css: str, x: float, y: float, width: float, more: str = "") -> str:
    named = f' class="{css}"' if css else ""
    wide = max(width, 0)
    return f'<rect{named} x="{x:.1f}" y="{y}" width="{wide:.1f}" height="{_HEIGHT}"{more}/>'


def _text(
    x: float,
    y: float,
    words: str,
    points: int,
    *,
    bold: bool = False,
    soft: bool = False,
    end: bool = False,
) -> str:
    more = ' font-weight="600"' if bold else ""
    more += ' class="om-soft"' if soft else ""
    more += ' text-anchor="end"' if end else ""
    return f'<text x="{x:.0f}" y="{y:.0f}" font-size="{points}"{more}>{escape(words)}</text>'
