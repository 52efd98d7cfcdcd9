# SPDX-License-Identifier: GPL-2.0
"""Draw panels with matplotlib, as SVG for light and dark pages.

matplotlib may be installed for the system's Python only. Drawing then happens in a child
process that runs that Python.
"""

import importlib.util
import io
import pickle
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from harness.base import process
from harness.base.packages import MATPLOTLIB, Requirement

_PYTHON = "/usr/bin/python3"
_CHILD = """
import pickle, sys
sys.path.insert(0, sys.argv[1])
paint, arguments = pickle.load(sys.stdin.buffer)
sys.stdout.buffer.write(paint(*arguments).encode())
"""

INK, SOFT, PAGE, PANEL, LINE = "#1f2328", "#59636e", "#ffffff", "#f6f8fa", "#d1d9e0"
BLUE, ORANGE, RED = "#0072b2", "#e69f00", "#d55e00"
GREY, PALE, DARK = "#8c959f", "#e3e7eb", "#6e7781"
# The replacement of each colour on a dark page.
_DARK = {
    INK: "#f0f6fc",
    SOFT: "#9198a1",
    PAGE: "#0d1117",
    PANEL: "#151b23",
    LINE: "#3d444d",
    BLUE: "#3d9fe0",
    PALE: "#2a313c",
    DARK: "#9198a1",
}

# In pixels: the size of a panel, the space between panels, the space above all of them.
WIDTH, HEIGHT, MARGIN, HEAD = 408, 276, 18, 46


def needs() -> tuple[Requirement, ...]:
    """The packages that drawing needs."""
    return () if importlib.util.find_spec("matplotlib") else (MATPLOTLIB,)


def is_possible() -> bool:
    """Whether everything that drawing needs is installed."""
    return all(need.is_met() for need in needs())


def draw(paint: Callable[..., str], *arguments: object) -> str:
    """Call paint(*arguments) in a Python that has matplotlib, and return its result.

    paint calls sheet() and svg(). Raises CommandFailed.
    """
    python = _PYTHON if needs() else sys.executable
    argv = [python, "-c", _CHILD, str(Path(__file__).parents[2])]
    return process.run(argv, data=pickle.dumps((paint, arguments))).stdout


def sheet(title: str, names: Sequence[str], columns: int, foot: int) -> tuple[Any, list[Any]]:
    """Create a figure and its panels. Axes count pixels from a panel's upper left corner."""
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyBboxPatch

    matplotlib.rcdefaults()
    matplotlib.rc("svg", fonttype="none", hashsalt=title)
    matplotlib.rc("font", **{"sans-serif": ["DejaVu Sans", "Segoe UI", "sans-serif"]})
    matplotlib.rc("text", color=INK)
    matplotlib.rc("hatch", linewidth=1.3)
    matplotlib.rc("legend", fontsize=12, frameon=False, borderpad=0, borderaxespad=0)
    matplotlib.rc("legend", handlelength=1.5, handleheight=1.1, columnspacing=1.2)
    rows = -(-len(names) // columns)
    width = columns * (WIDTH + MARGIN) + MARGIN
    height = HEAD + rows * (HEIGHT + MARGIN) + foot
    figure = Figure(figsize=(width / 72, height / 72), dpi=72, facecolor=PAGE)
    figure.text(MARGIN / width, 1 - 30 / height, title, size=17, weight="bold")
    panels = []
    for number, name in enumerate(names):
        x = MARGIN + number % columns * (WIDTH + MARGIN)
        y = HEAD + number // columns * (HEIGHT + MARGIN) + HEIGHT
        panel = figure.add_axes((x / width, 1 - y / height, WIDTH / width, HEIGHT / height))
        panel.set(xlim=(0, WIDTH), ylim=(HEIGHT, 0))
        panel.axis("off")
        box = {"boxstyle": "round,pad=0,rounding_size=6", "fc": PANEL, "ec": LINE}
        panel.add_patch(FancyBboxPatch((1, 1), WIDTH - 2, HEIGHT - 2, **box))
        panel.text(MARGIN, 24, name, size=14, weight="bold")
        panels.append(panel)
    return figure, panels


def legend(figure: Any, handles: Sequence[Any], top: int, columns: int) -> None:
    """Add a legend, top pixels above the lower edge."""
    width, height = figure.get_size_inches() * 72
    place = (MARGIN / width, top / height)
    figure.legend(handles=handles, loc="upper left", bbox_to_anchor=place, ncol=columns)


def svg(figure: Any, title: str, words: str) -> str:
    """The figure as a self-contained SVG element. words is its text alternative."""
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    dark = "".join(
        f'[style*="{how}: {light}"],[{how}="{light}"]{{{how}:{other}!important}}'
        for light, other in _DARK.items()
        for how in ("fill", "stroke")
    )
    return (
        text[text.index("<svg ") :]
        .replace('pt"', '"')
        .replace(
            ">\n",
            ' role="img" aria-labelledby="picture-title picture-words">\n'
            f'<title id="picture-title">{escape(title)}</title>\n'
            f'<desc id="picture-words">{escape(words)}</desc>\n'
            f"<style>@media (prefers-color-scheme:dark){{{dark}}}</style>\n",
            1,
        )
    )
