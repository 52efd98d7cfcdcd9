# SPDX-License-Identifier: GPL-2.0
"""The cost of adding and removing a device by its size, as an SVG picture."""

import itertools
from collections.abc import Callable, Mapping
from typing import Any

from harness.base import picture
from harness.base.table import size
from harness.bench import costs as bench_costs
from harness.bench.costs import DEVICE, RAM, Costs

_GIB = 1 << 30
_FOOT = 64
# The position of a plot within its panel: left, lower edge, width, height.
_PLACE = (58 / 408, 44 / 276, 334 / 408, 192 / 276)
# The markers of the kernels' totals, in order.
_MARKS = "o+xsD"
_PARTS = (picture.BLUE, picture.ORANGE, picture.RED, picture.GREY)
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


def figure(title: str, kernels: Mapping[str, Costs], drawn: str) -> str:
    """The kernels of one page size by flavour. Parts are shown for the kernel drawn."""
    return picture.draw(_paint, title, kernels, drawn)


def _paint(title: str, kernels: Mapping[str, Costs], drawn: str) -> str:
    sheet, panels = picture.sheet(title, [name for _, _, name in _PANELS], 2, _FOOT)
    plots = [panel.inset_axes(_PLACE) for panel in panels]
    for plot, (call, origin, _) in zip(plots, _PANELS):
        _plot(plot, call, origin, kernels, drawn)
    most = max(plot.dataLim.y1 for plot in plots)
    for plot in plots:
        _axes(plot, most)
    handles = plots[0].get_legend_handles_labels()[0]
    parts, marks = handles[: -len(kernels)], handles[-len(kernels) :]
    picture.legend(sheet, parts, _FOOT, len(parts))
    picture.legend(sheet, marks, _FOOT - 26, len(marks))
    note = f"The parts are those of {drawn}."
    sheet.text(
        0.98, _FOOT / sheet.bbox.height, note, color=picture.SOFT, size=12, ha="right", va="top"
    )
    return picture.svg(sheet, title, _words(kernels[drawn]))


def _axes(plot: Any, most: float) -> None:
    plot.set(facecolor="none", xlim=(0, plot.dataLim.x1), ylim=(0, most * 1.04))
    plot.xaxis.get_major_locator().set_params(integer=True)
    plot.tick_params(length=4, color=picture.SOFT, labelcolor=picture.SOFT, labelsize=11)
    plot.tick_params(axis="y", length=0)
    plot.grid(axis="y", color=picture.LINE)
    plot.set_axisbelow(True)
    for side, spine in plot.spines.items():
        spine.set(visible=side == "bottom", color=picture.SOFT)
    words = {"color": picture.SOFT, "size": 11, "transform": plot.transAxes}
    plot.text(0, -0.19, "millions of instructions", **words)
    plot.text(1, -0.19, "size in GiB", ha="right", **words)


def _plot(plot: Any, call: str, origin: str, kernels: Mapping[str, Costs], drawn: str) -> None:
    """Draw the parts as a stack, and the totals of all kernels as markers."""
    sizes = kernels[drawn].sizes(call, origin)
    splits = [_SPLITS[call](kernels[drawn], origin, count) for count in sizes]
    # Calls are measured one by one, so a tiny part may be negative.
    parts = {part: [max(split[part], 0) / 1e6 for split in splits] for part in splits[0]}
    plot.stackplot(
        [0, *(count / _GIB for count in sizes)],
        [[0, *work] for work in parts.values()],
        labels=list(parts),
        colors=_PARTS,
        lw=0,
    )
    for mark, (flavour, costs) in zip(itertools.cycle(_MARKS), kernels.items()):
        wholes = _wholes(costs, call, origin)
        plot.plot(
            [count / _GIB for count, _ in wholes],
            [work / 1e6 for _, work in wholes],
            label=f"all of it, {flavour}",
            marker=mark,
            color=picture.INK,
            ls="",
            mfc="none",
            ms=9,
            clip_on=False,
        )


def _wholes(costs: Costs, call: str, origin: str) -> list[tuple[int, int]]:
    return [(n, costs.work(call, "device", origin, n)) for n in costs.sizes(call, origin)]


def _words(costs: Costs) -> str:
    """The largest devices, as a text alternative."""
    said = []
    for call, origin, name in _PANELS:
        count, work = _wholes(costs, call, origin)[-1]
        said.append(f"{name}: {work:,} instructions for {size(count)}")
    return "; ".join(said)
