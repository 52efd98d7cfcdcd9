# SPDX-License-Identifier: GPL-2.0
"""make map: draw where a device's struct pages lie, without the series and with it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from harness.base import builddir, picture
from harness.base.console import say
from harness.base.errors import CommandError, ExitStatus, UsageError
from harness.kernel import machine
from harness.originmap import draw as originmap_draw
from harness.originmap import plot
from harness.originmap.draw import Map
from harness.request import settings
from harness.request.settings import Settings, check_config, check_flavour
from harness.request.variables import KERNEL, Command
from harness.trees import debian
from harness.verdict import judge
from harness.verdict.kernelrun import KernelRun

CASE = "arm64_memremap.memremap_pages_draws_origin_map"
FLAVOURS = "baseline series"
CONFIGS = "4k 64k"
_SAID = {"baseline": "without the series", "series": "with the series"}


COMMAND = Command(
    "make map",
    KERNEL | {"FLAVOURS", "CONFIGS", "MAP"},
    "draw where a device's struct pages lie, without the series and with it",
    'altmap map --configs "4k 64k" --map memmap.svg',
    helps={
        "FLAVOURS": f"the flavours to boot (default: {FLAVOURS})",
        "CONFIGS": f"the configs to boot with (default: {CONFIGS})",
    },
)


def main(environ: Mapping[str, str]) -> int:
    """Boot FLAVOURS with CONFIGS, print the maps and write the picture."""
    request = settings.read(environ)
    flavours = (environ.get("FLAVOURS") or FLAVOURS).split()
    configs = (environ.get("CONFIGS") or CONFIGS).split()
    for flavour in flavours:
        check_flavour(flavour, variable="FLAVOURS")
    for config in configs:
        check_config(config, "CONFIGS")
    out_file = Path(environ.get("MAP") or request.build / "results/origin-map.svg")
    if environ.get("MAP") and not out_file.absolute().parent.is_dir():
        raise UsageError(
            f"MAP={out_file}: there is no directory {out_file.parent}",
            "create it, or name a file in another one",
        )
    wanted = debian.resolve(request)
    machine.ensure_tools(wanted, *picture.needs())
    out = builddir.results(wanted.build, "map")
    panels: list[tuple[str, Map]] = []
    for config in configs:
        for flavour in flavours:
            drawn = draw(replace(wanted, flavour=flavour, config=config), out)
            title = f"{config.split('-')[0].upper()} pages, {_SAID.get(flavour, flavour)}"
            panels.append((title, drawn))
            print(originmap_draw.ascii_map(title, drawn) + "\n", flush=True)
    print(originmap_draw.LEGEND)
    out_file.write_text(plot.figure(panels, len(flavours)), encoding="utf-8")
    say(f"wrote {out_file}")
    return int(ExitStatus.OK)


def draw(wanted: Settings, out: Path) -> Map:
    """Boot a kernel and return the map that its suites print. Raises CommandError, MapError."""
    one = KernelRun(wanted, out, judge.Expectation(frozenset({CASE})), [CASE])
    say(f"{one.name} ...")
    result = one.run()
    if result.findings:
        first = result.findings[0]
        raise CommandError(
            f"{one.name}: {first.text}", f"see the logs in {out}", "\n".join(first.log)
        )
    log = out / f"{wanted.flavour}-{wanted.config}.console.log"
    maps = originmap_draw.read(log.read_text(errors="replace"))
    if len(maps) != 1:
        raise CommandError(f"{one.name} printed {len(maps)} maps instead of one", f"see {log}")
    return maps[0]
