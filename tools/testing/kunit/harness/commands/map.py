# SPDX-License-Identifier: GPL-2.0
"""make map: draw what a memmap is backed by, without the series and with it."""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import List, Mapping, Tuple

import check
import judge
import origin_map
import proc
import settings as settings_module
import suite
import tree
from cell import Cell
from errors import CommandError, ExitStatus, UsageError
from origin_map import Map
from proc import say
from settings import Settings, check_config, check_flavour
from variables import KERNEL, Command

CASE = "arm64_memremap.memremap_pages_draws_origin_map"
FLAVOURS = "baseline series"
CONFIGS = "4k 64k"
_SAID = {"baseline": "without the series", "series": "with the series"}


COMMAND = Command("make map", KERNEL | {"FLAVOURS", "CONFIGS", "MAP"})


def main(argv: List[str], environ: Mapping[str, str] = os.environ) -> int:
    """Boot FLAVOURS with CONFIGS, print the maps, write the picture; 0 if all is well."""
    if argv:
        raise UsageError("map.py takes no arguments", "MAP=FILE says where the picture goes")
    environ = COMMAND.given(environ)
    wish = settings_module.read(environ)
    flavours = [check_flavour(f) for f in (environ.get("FLAVOURS") or FLAVOURS).split()]
    configs = [check_config(c) for c in (environ.get("CONFIGS") or CONFIGS).split()]
    wanted = suite.resolve(wish)
    picture = Path(environ.get("MAP") or wanted.build / "results/origin-map.svg")
    check.ensure_tools(wanted)
    out = wanted.build / "results/map"
    tree.mark(wanted.build)
    out.mkdir(parents=True, exist_ok=True)
    panels: List[Tuple[str, Map]] = []
    for config in configs:
        for flavour in flavours:
            drawn = draw(replace(wanted, flavour=flavour, config=config), out)
            title = f"{config.split('-')[0].upper()} pages, {_SAID.get(flavour, flavour)}"
            panels.append((title, drawn))
            print(origin_map.ascii_map(title, drawn) + "\n", flush=True)
    print(origin_map.LEGEND)
    picture.write_text(origin_map.figure(panels, len(flavours)), encoding="utf-8")
    say(f"{picture} is written")
    return int(ExitStatus.OK)


def draw(wanted: Settings, out: Path) -> Map:
    """Boot a kernel and return the map that its suites tell. Raises CommandError, MapError."""
    cell = Cell(wanted, out, judge.Expectation(frozenset({CASE})), [CASE])
    say(f"{cell.name} ...")
    result = cell.run()
    if result.findings:
        first = result.findings[0]
        raise CommandError(
            f"{cell.name}: {first.text}", f"see the logs in {out}", "\n".join(first.log)
        )
    log = out / f"{wanted.flavour}-{wanted.config}.console.log"
    maps = origin_map.read(log.read_text(errors="replace"))
    if len(maps) != 1:
        raise CommandError(f"{cell.name} tells {len(maps)} maps, not one", f"see {log}")
    return maps[0]


if __name__ == "__main__":
    sys.exit(proc.main_guard(main, sys.argv[1:]))
