# SPDX-License-Identifier: GPL-2.0
"""The results of make bench, as tables and as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from harness.base import archive
from harness.base.table import size, table
from harness.bench import costs as bench_costs
from harness.bench.costs import DEVICE, RAM, Barriers, Costs, Key, Row
from harness.verdict.results import RunResult

SCHEMA = 1

_GIB = 1 << 30
_ORIGINS = {DEVICE: "device", RAM: "RAM"}


@dataclass(frozen=True)
class Measured:
    """The run of a flavour with a page size, and its measurements."""

    flavour: str
    config: str
    run: RunResult
    costs: Costs
    barriers: Barriers = field(default_factory=dict)


def write_json(found: Sequence[Measured], heading: str, path: Path) -> None:
    """Write all measurements, with their growth against stock."""
    stock = {m.config: m.costs for m in found if m.flavour == "stock"}
    document = {
        "schema": SCHEMA,
        "heading": heading.splitlines(),
        "kernels": [
            {
                "flavour": m.flavour,
                "config": m.config,
                "facts": asdict(m.costs.facts),
                "seconds": round(m.run.seconds, 1),
                "rows": [_row(row, stock.get(m.config)) for row in m.costs.rows.values()],
                "barriers": [{**asdict(key), **counts} for key, counts in m.barriers.items()],
            }
            for m in found
        ],
    }
    archive.write_whole(path, json.dumps(document, indent=1) + "\n")


def _row(row: Row, stock: Costs | None) -> dict[str, object]:
    fields: dict[str, object] = {**asdict(row.key), **asdict(row)}
    del fields["key"]
    fields["waiting"] = row.waiting
    before = stock.rows.get(row.key) if stock else None
    if before and before.work:
        fields["growth"] = round(row.work / before.work - 1, 5)
    return fields


def tables(found: Sequence[Measured]) -> list[str]:
    """For each page size: the calls by flavour, their parts, and the memory that they use."""
    lines: list[str] = []
    for config in dict.fromkeys(m.config for m in found):
        kernels = [m for m in found if m.config == config and m.costs.rows]
        if kernels:
            lines += [*_comparison(config, kernels), "", *_shares(config, kernels[-1]), ""]
            lines += [*_spent(config, kernels), ""]
        if kernels and any(m.barriers for m in kernels):
            lines += [*_barriers(config, kernels), ""]
    return lines[:-1]


def _comparison(config: str, kernels: Sequence[Measured]) -> list[str]:
    """Instructions of the first kernel, and the growth in the others."""
    rows = [[f"{config.upper()} pages: instructions", *(f"{m.flavour} " for m in kernels)]]
    first, *others = (m.costs for m in kernels)
    for key, row in first.rows.items():
        if not _is_shown(key):
            continue
        cells = [f"{row.work:,} ", *(_growth(first, costs, row) for costs in others)]
        rows.append([f"{_call(key)}, {_ORIGINS[key.origin]}", *cells])
    lines = table(rows, gap=1)
    if any(line.endswith("*") for line in lines):
        lines += [
            "* The memmap would not fill a page and lies in system RAM:",
            f"  compared with {kernels[0].flavour} with its memmap in RAM.",
        ]
    return lines


def _is_shown(key: Key) -> bool:
    """Whether tables show a measurement. JSON has all of them."""
    if key.of in bench_costs.MEMORY:
        return key.is_whole and key.bytes in (16 << 20, _GIB)
    return True


def _call(key: Key) -> str:
    short = {
        "vmemmap_populate": "populate",
        "vmemmap_populate_basepages": "populate",
        "vmemmap_free": "free",
    }.get(key.call, key.call)
    where = size(key.bytes) if key.is_whole else key.of.replace("_", " ")
    return f"{short} {where}{' compound' if key.of == 'compound' else ''}"


def _growth(first: Costs, costs: Costs, before: Row) -> str:
    row = costs.rows.get(before.key)
    if row is None or not before.work:
        return "missing" if row is None else f"{row.work:,} "
    mark = "*" if bench_costs.lies_in_ram_instead(before.key, first, costs) else " "
    return f"{row.work / before.work - 1:+.2%}{mark}"


def _shares(config: str, measured: Measured) -> list[str]:
    """The parts of adding and removing a device of 1 GiB."""
    costs = measured.costs
    rows = []
    for title, split, call in (
        ("adding 1 GiB", bench_costs.adding, "memremap_pages"),
        ("removing 1 GiB", bench_costs.removing, "memunmap_pages"),
    ):
        heads = [word for origin in (DEVICE, RAM) for word in (_ORIGINS[origin], "")]
        rows.append([f"{config.upper()} pages, {measured.flavour}: {title}", *heads])
        parts = {origin: split(costs, origin, _GIB) for origin in (DEVICE, RAM)}
        for part in parts[DEVICE]:
            cells: list[str] = []
            for origin in (DEVICE, RAM):
                whole = costs.work(call, "device", origin, _GIB)
                count = parts[origin][part]
                cells += [f"{count:,}", f"{count / whole:.2%}"]
            rows.append([f"  {part}", *cells])
        waits = [costs.rows[Key(call, "device", o, _GIB)].waiting for o in (DEVICE, RAM)]
        cells = [word for wait in waits for word in (f"{wait / 1e6:,.1f} ms", "")]
        rows.append(["  waiting", *cells])
    return table(rows)


def _spent(config: str, kernels: Sequence[Measured]) -> list[str]:
    """The system RAM and device memory used for 1 GiB."""
    rows = [(f"{config.upper()} pages: spent on 1 GiB", "", "system RAM", "device")]
    for m in kernels:
        for key, row in m.costs.rows.items():
            if key.call in ("memremap_pages", "add_memory") and key.bytes == _GIB:
                what = f"  {_call(key)}, memmap in {_ORIGINS[key.origin]}"
                page = m.costs.facts.page
                rows.append((what, m.flavour, size(row.ram * page), size(row.device * page)))
    return table(rows, "llr")


def _barriers(config: str, kernels: Sequence[Measured]) -> list[str]:
    """The counts of DSB, ISB and TLBI. "=" means the same as in the first kernel."""
    rows = [[f"{config.upper()} pages: DSB/ISB/TLBI", *(m.flavour for m in kernels)]]
    section = kernels[0].costs.facts.section
    for key in next(m.barriers for m in kernels if m.barriers):
        if key.of in bench_costs.MEMORY and not (key.is_whole and key.bytes == section):
            continue
        what = f"{_call(key)}, {_ORIGINS[key.origin]}"
        first, *others = (
            "/".join(str(n) for n in m.barriers.get(key, {}).values()) for m in kernels
        )
        rows.append([what, first, *("=" if text == first else text for text in others)])
    return table(rows)
