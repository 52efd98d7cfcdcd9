# SPDX-License-Identifier: GPL-2.0
"""make pipeline: GitLab's child pipeline, one job for each part of the matrix."""

import os
import sys
from typing import List, Mapping

import proc
import report
import settings as settings_module
import suite
from errors import UsageError
from rows import Shard, choose, groups
from variables import Command

DEFAULT_SHARDS = 4
# What reaches each job, if it was set when the pipeline was made.
_PASSED_ON = ("CONFIGS", "FLAVOURS", "BASE")
_RESULTS = "build/results"


COMMAND = Command("make pipeline", frozenset({"BASE", "BUILD", "FLAVOURS", "CONFIGS", "SHARDS"}))


def main(argv: List[str], environ: Mapping[str, str] = os.environ) -> int:
    """Print the child pipeline as YAML, for SHARDS parts at most one for each build."""
    if argv:
        raise UsageError("make pipeline takes no arguments", "SHARDS=8 says how many jobs")
    environ = COMMAND.given(environ)
    wish = settings_module.read(environ)
    choose(environ, wish.base)
    given = environ.get("SHARDS") or str(DEFAULT_SHARDS)
    if not given.isdigit() or int(given) < 1:
        raise UsageError(f"SHARDS={given} is no number of jobs", "give one, as in SHARDS=8")
    builds = len(groups(choose(environ, suite.resolve(wish).base)))
    print("\n".join(child(min(int(given), builds), environ)))
    return 0


def child(count: int, environ: Mapping[str, str]) -> List[str]:
    """The lines of a pipeline with so many shards and a report."""
    lines = ["# Made by make pipeline.", "stages: [matrix, report]", "", *_variables(environ)]
    shards = [Shard(number + 1, count) for number in range(count)]
    for shard in shards:
        lines += _job(f"matrix {shard.number} of {count}", "matrix")
        lines += [f"  script: [make matrix SHARD={shard.number}/{count}]"]
        lines += _artifacts(f"{_RESULTS}/{report.part_name(shard)}", f"{_RESULTS}/*.log")
        lines.append("")
    lines += _job("report", "report")
    lines += ["  script: [make report]", "  when: always"]
    names = [f"matrix {shard.number} of {count}" for shard in shards]
    lines.append(f"  needs: [{', '.join(names)}]")
    whole = f"{_RESULTS}/{report.WHOLE}"
    lines += _artifacts(whole)
    lines += ["    reports:", f"      junit: {_RESULTS}/matrix.xml"]
    return lines


def _variables(environ: Mapping[str, str]) -> List[str]:
    passed = [name for name in _PASSED_ON if environ.get(name)]
    # Names that were looked up: they need no escapes.
    lines = ["variables:"] + [f'  {name}: "{environ[name]}"' for name in passed]
    return [*lines, ""] if passed else []


def _job(name: str, stage: str) -> List[str]:
    # Debian's bare image has neither make nor git nor Python.
    return [
        f"{name}:",
        f"  stage: {stage}",
        "  image: debian:12",
        "  before_script: [./.ci/prepare]",
    ]


def _artifacts(*paths: str) -> List[str]:
    return ["  artifacts:", "    when: always", f"    paths: [{', '.join(paths)}]"]


if __name__ == "__main__":
    sys.exit(proc.main_guard(main, sys.argv[1:]))
