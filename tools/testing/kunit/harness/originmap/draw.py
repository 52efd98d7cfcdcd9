# SPDX-License-Identifier: GPL-2.0
"""The memory that backs a memmap: read from a console log, drawn as text.

mm/tests/origin_map.h describes the format of the log lines.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.base.errors import KunitError
from harness.base.table import size, table
from harness.verdict import ktap

DEVICE, RAM, HOLE = "device", "ram", "hole"
_ORIGINS = {DEVICE: "device", RAM: "system RAM", HOLE: "nothing"}


class MapError(KunitError):
    """A map in a log is unreadable."""


@dataclass(frozen=True)
class Run:
    """Consecutive pages of the memmap with the same backing.

    at is the first page, counted from the memmap's start. leaf is the size in bytes of a
    page-table entry there. origin is DEVICE, RAM or HOLE. pfn is the first page frame; the
    others follow it.
    """

    at: int
    pages: int
    leaf: int
    origin: str
    pfn: int


@dataclass(frozen=True)
class Map:
    """The memmap of a device.

    page is the page size in bytes. pfn and pages are the device's page frames. offered is the
    first page frame for the memmap, and their number. memmap is the size of the memmap in
    pages; the runs may show only the first of them. tables is the number of page-table pages
    added for it.
    """

    page: int
    pfn: int
    pages: int
    offered: tuple[int, int]
    memmap: int
    tables: int
    runs: tuple[Run, ...]

    def bytes_from(self, origin: str) -> int:
        """How many bytes of the memmap have this origin."""
        return self.page * sum(run.pages for run in self.runs if run.origin == origin)


def read(log_text: str) -> list[Map]:
    """The complete maps in a console log. Raises MapError."""
    maps: list[Map] = []
    begun: dict[str, str] = {}
    runs: list[Run] = []
    for line, kind, fields in ktap.records(log_text, "origin-map"):
        try:
            if kind == "begin":
                begun = {name: fields[name] for name in ("page", "pfn", "pages", "offered")}
                runs = []
            elif kind == "run":
                runs.append(_read_run(fields))
            elif begun:
                maps.append(_read_map(begun, runs, fields))
                begun = {}
        except (KeyError, ValueError) as error:
            raise MapError(
                f"not a line of an origin map: {line}",
                "check that the log is from these suites; mm/tests/origin_map.h has the format",
            ) from error
    return maps


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


_LETTERS = {DEVICE: "d", RAM: "r", HOLE: "."}
_BLOCK_LETTERS = 12
# A longer run is drawn shorter.
MOST_CELLS = 32


def ascii_map(title: str, drawn: Map) -> str:
    """A map for a terminal, at most 78 columns wide."""
    lines = [f"{title}: {spent(drawn)}"]
    bar = "|".join(_letters(drawn, run) for run in drawn.runs)
    lines += [f"  |{bar}|"[i : i + 78] for i in range(0, len(bar) + 4, 78)]
    rows: list[tuple[object, ...]] = [("memmap at", "pages", "mapped by", "lies in", "page frames")]
    for run in drawn.runs:
        leaf = f"{size(run.leaf)} {'pages' if run.leaf == drawn.page else 'blocks'}"
        where = f"{run.pfn:#x} to {run.pfn + run.pages - 1:#x}"
        mapped, frames = (leaf, where) if run.leaf else ("-", "-")
        rows.append((size(run.at * drawn.page), run.pages, mapped, _ORIGINS[run.origin], frames))
    return "\n".join([*lines, *(f"  {line}" for line in table(rows, "rrrl"))])


LEGEND = "d: a page in the device; r: in system RAM; capitals: a block; .: nothing there"


def _letters(drawn: Map, run: Run) -> str:
    letter = _LETTERS[run.origin]
    if run.leaf > drawn.page:
        blocks = min(max(run.pages * drawn.page // run.leaf, 1), 4)
        return "|".join([letter.upper() * _BLOCK_LETTERS] * blocks)
    return letter * min(run.pages, MOST_CELLS)


def spent(drawn: Map) -> str:
    """A text: the origin of the memmap's memory."""
    parts = [
        f"{size(drawn.bytes_from(origin))} in {'the device' if origin == DEVICE else name}"
        for origin, name in _ORIGINS.items()
        if origin != HOLE and drawn.bytes_from(origin)
    ]
    return f"memmap of {size(drawn.pages * drawn.page)}: {', '.join(parts) or 'not mapped'}"


def leaves(drawn: Map) -> str:
    """A text: the page-table entries that map the memmap."""
    counts: dict[int, int] = {}
    for run in drawn.runs:
        if run.leaf:
            counts[run.leaf] = counts.get(run.leaf, 0) + run.pages * drawn.page // run.leaf
    words = [
        f"{count} {'pages' if leaf == drawn.page else 'blocks'} of {size(leaf)}"
        for leaf, count in counts.items()
    ]
    return " and ".join(words) or "nothing"
