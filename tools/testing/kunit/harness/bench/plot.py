# SPDX-License-Identifier: GPL-2.0
"""What adding and removing a device costs, drawn against its size, as SVG."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from harness.bench import costs as bench_costs
from harness.bench.costs import DEVICE, RAM, Costs
from harness.originmap.draw import size

_GIB = 1 << 30
_WIDTH = 408  # of a panel
_HEIGHT = 276
_MARGIN = 18
_HEAD = 46
_FOOT = 64
# The plot within a panel.
_LEFT, _TOP, _RIGHT, _BOTTOM = 58, 40, 392, 232
_STYLE = """
.bp text{font-family:system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;fill:#1f2328}
.bp .bp-soft{fill:#59636e}
.bp .bp-bg{fill:#ffffff}.bp .bp-panel{fill:#f6f8fa;stroke:#d1d9e0}
.bp .bp-grid{stroke:#d1d9e0}.bp .bp-axis{stroke:#59636e}
.bp .bp-0{fill:#0072b2}.bp .bp-1{fill:#e69f00}.bp .bp-2{fill:#d55e00}.bp .bp-3{fill:#8c959f}
.bp .bp-mark{fill:none;stroke:#1f2328;stroke-width:1.4}
@media (prefers-color-scheme:dark){
.bp text{fill:#f0f6fc}.bp .bp-soft{fill:#9198a1}
.bp .bp-bg{fill:#0d1117}.bp .bp-panel{fill:#151b23;stroke:#3d444d}
.bp .bp-grid{stroke:#3d444d}.bp .bp-axis{stroke:#9198a1}
.bp .bp-0{fill:#3d9fe0}.bp .bp-mark{stroke:#f0f6fc}
}
"""
# How the wholes of the kernels are marked, in the order that they come in.
_MARKS = ("M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0", "M-5 0H5M0 -5V5", "M-4 -4L4 4M-4 4L4 -4")
_PANELS: tuple[tuple[str, str, str], ...] = (
    ("memremap_pages", DEVICE, "adding, memmap in the device"),
    ("memunmap_pages", DEVICE, "removing, memmap in the device"),
    ("memremap_pages", RAM, "adding, memmap in system RAM"),
    ("memunmap_pages", RAM, "removing, memmap in system RAM"),
)
_SPLITS: dict[str, Callable[[Costs, str, int], dict[str, int]]] = {
    "memremap_pages": bench_costs.adding,
    "memunmap_pages": bench_costs.removing,
}


@dataclass(frozen=True)
class _Scale:
    """From bytes and instructions to a place in the panel."""

    most_bytes: int
    most: float

    def x(self, count: int) -> float:
        return _LEFT + (_RIGHT - _LEFT) * count / self.most_bytes

    def y(self, work: float) -> float:
        return _BOTTOM - (_BOTTOM - _TOP) * work / self.most


def figure(title: str, kernels: Mapping[str, Costs], drawn: str) -> str:
    """Kernels of one page size by flavour. Of the one called drawn, the parts are shown too."""
    width = 2 * (_WIDTH + _MARGIN) + _MARGIN
    height = _HEAD + 2 * (_HEIGHT + _MARGIN) + _FOOT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="bp" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" aria-labelledby="bp-title bp-desc">',
        f'<title id="bp-title">{escape(title)}</title>',
        f'<desc id="bp-desc">{escape(_words(kernels[drawn]))}</desc>',
        f"<style>{_STYLE}</style>",
        f'<rect class="bp-bg" width="{width}" height="{height}" rx="8"/>',
        _text(_MARGIN, 30, title, 17, bold=True),
    ]
    most = max(
        work for c, o, _ in _PANELS for k in kernels.values() for _, work in _wholes(k, c, o)
    )
    for number, (call, origin, name) in enumerate(_PANELS):
        x = _MARGIN + number % 2 * (_WIDTH + _MARGIN)
        y = _HEAD + number // 2 * (_HEIGHT + _MARGIN)
        parts.append(f'<g transform="translate({x},{y})">')
        parts += _panel(name, call, origin, kernels, drawn, _round_up(most))
        parts.append("</g>")
    parts += _legend(_HEAD + 2 * (_HEIGHT + _MARGIN) + 4, kernels, drawn)
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def _wholes(costs: Costs, call: str, origin: str) -> list[tuple[int, int]]:
    return [(n, costs.work(call, "device", origin, n)) for n in costs.sizes(call, origin)]


def _words(costs: Costs) -> str:
    """The largest devices, for those who cannot see the picture."""
    said = []
    for call, origin, name in _PANELS:
        count, work = _wholes(costs, call, origin)[-1]
        said.append(f"{name}: {work:,} instructions for {size(count)}")
    return "; ".join(said)


def _round_up(most: float) -> float:
    """A good end for an axis."""
    step = 10.0 ** math.floor(math.log10(most))
    return next(step * n for n in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * n >= most)


def _panel(
    name: str, call: str, origin: str, kernels: Mapping[str, Costs], drawn: str, most: float
) -> Iterator[str]:
    sizes = kernels[drawn].sizes(call, origin)
    scale = _Scale(sizes[-1], most)
    yield f'<rect class="bp-panel" x="0.5" y="0.5" width="{_WIDTH - 1}" height="{_HEIGHT - 1}" rx="6"/>'
    yield _text(_MARGIN, 24, name, 14, bold=True)
    yield from _axes(scale)
    yield from _areas(scale, sizes, [_SPLITS[call](kernels[drawn], origin, n) for n in sizes])
    for costs, mark in zip(kernels.values(), _MARKS):
        for count, work in _wholes(costs, call, origin):
            place = f"translate({scale.x(count):.1f},{scale.y(work):.1f})"
            yield f'<path class="bp-mark" transform="{place}" d="{mark}"/>'


def _axes(scale: _Scale) -> Iterator[str]:
    for quarter in range(5):
        work = scale.most * quarter / 4
        y = scale.y(work)
        css = "bp-grid" if quarter else "bp-axis"
        yield f'<path class="{css}" d="M{_LEFT} {y:.1f}H{_RIGHT}"/>'
        yield _text(_LEFT - 6, y + 4, f"{work / 1e6:g}", 11, soft=True, end=True)
    for gib in range(scale.most_bytes // _GIB + 1):
        x = scale.x(gib * _GIB)
        yield f'<path class="bp-axis" d="M{x:.1f} {_BOTTOM}v4"/>'
        yield _text(x + 3, _BOTTOM + 18, f"{gib}", 11, soft=True, end=True)
    yield _text(_RIGHT, _BOTTOM + 34, "size in GiB", 11, soft=True, end=True)
    yield _text(_LEFT, _BOTTOM + 34, "millions of instructions", 11, soft=True)


def _areas(scale: _Scale, sizes: Sequence[int], splits: Sequence[dict[str, int]]) -> Iterator[str]:
    """The parts on top of one another."""
    base = [0] * len(sizes)
    for number, part in enumerate(splits[0]):
        # The calls are measured one by one: a part that is next to nothing may come out below it.
        top = [low + max(split[part], 0) for low, split in zip(base, splits)]
        there = [f"{scale.x(n):.1f} {scale.y(v):.1f}" for n, v in zip(sizes, top)]
        back = [f"{scale.x(n):.1f} {scale.y(v):.1f}" for n, v in zip(sizes, base)]
        outline = "L".join([*there, *reversed(back)])
        yield f'<path class="bp-{number}" d="M{_LEFT} {_BOTTOM}L{outline}Z"/>'
        base = top


def _legend(y: int, kernels: Mapping[str, Costs], drawn: str) -> Iterator[str]:
    call, origin, _ = _PANELS[0]
    costs = kernels[drawn]
    x = float(_MARGIN)
    for number, part in enumerate(_SPLITS[call](costs, origin, costs.sizes(call, origin)[0])):
        yield f'<rect class="bp-{number}" x="{x:.0f}.5" y="{y}.5" width="18" height="13"/>'
        yield _text(x + 25, y + 11, part, 12)
        x += 25 + 7.6 * len(part) + 14
    x, y = float(_MARGIN), y + 24
    for flavour, mark in zip(kernels, _MARKS):
        yield f'<path class="bp-mark" transform="translate({x + 9:.0f},{y + 7})" d="{mark}"/>'
        yield _text(x + 25, y + 11, f"all of it, {flavour}", 12)
        x += 25 + 7.1 * (len(flavour) + 11) + 14
    yield _text(x, y + 11, f"The parts are those of {drawn}.", 12, soft=True)


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
    more += ' class="bp-soft"' if soft else ""
    more += ' text-anchor="end"' if end else ""
    return f'<text x="{x:.0f}" y="{y:.0f}" font-size="{points}"{more}>{escape(words)}</text>'
