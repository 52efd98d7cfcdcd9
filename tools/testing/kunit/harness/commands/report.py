# SPDX-License-Identifier: GPL-2.0
"""altmap report: the shards of a matrix, put together."""

from collections.abc import Mapping
from pathlib import Path

from harness.base import builddir
from harness.matrix import shards
from harness.matrix.shards import ResultError
from harness.request import settings
from harness.request.variables import Command

COMMAND = Command(
    "make report",
    frozenset({"BUILD", "PARTS"}),
    "merge what the shards of a matrix left",
    "altmap report --parts DIR",
)


def main(environ: Mapping[str, str]) -> int:
    """Merge the parts in the directory PARTS; 0 only when all is as expected."""
    build = settings.read(environ).build
    out = build / "results"
    parts = shards.find(Path(environ.get("PARTS") or out))
    builddir.mark(build)
    out.mkdir(exist_ok=True)
    status = shards.tell(parts, out / Path(shards.WHOLE).stem)
    lost = shards.missing(parts)
    if lost:
        of = parts[0].shard.of
        raise ResultError(
            f"{len(lost)} of {of} shards missing: {', '.join(f'{n}/{of}' for n in lost)}",
            f"run make matrix SHARD={lost[0]}/{of}, or see why its job left no result",
        )
    return status
