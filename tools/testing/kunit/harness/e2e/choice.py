# SPDX-License-Identifier: GPL-2.0
"""Which scenarios run on which kernels."""

import fnmatch
from collections.abc import Mapping, Sequence

from harness.base.errors import UsageError
from harness.e2e import scenario as e2e_scenario
from harness.e2e.run import Plan
from harness.e2e.scenario import Scenario
from harness.request.settings import check_flavour

ALL = ("*",)
# What is run unless FLAVOURS or CONFIGS say otherwise: where the feature works, where
# devices share a page of the memmap and what becomes of them without the fixes, where the
# scenarios must notice that the feature is not there. A few of the variants are enough
# with 4K pages, where they never share one, and to show what stock does.
RUNS = (
    ("series", "4k", ("*", "!geometry-pair/[!4]*", "!geometry-triple/2M,*")),
    ("series", "64k", ("*", "!geometry-labels")),
    ("stock", "64k", ("geometry-pair", "!geometry-pair/[236]*")),
    ("baseline", "4k", ("evidence", "ram-spent", "system-ram")),
)
# Where FLAVOURS or CONFIGS says something, and the other one nothing.
FLAVOURS, PAGES = ("series",), ("4k", "64k")


def choose(scenarios: Sequence[Scenario], environ: Mapping[str, str]) -> list[Plan]:
    """What SCENARIOS, FLAVOURS and CONFIGS leave. Raises UsageError."""
    patterns = environ.get("SCENARIOS", "").split() or ALL
    names = dict.fromkeys(s.name for s in scenarios)
    for pattern in patterns:
        if not any(_matches(s, [pattern.lstrip("!")]) for s in scenarios):
            raise UsageError(
                f"SCENARIOS: no scenario is called '{pattern}'", f"choose from: {' '.join(names)}"
            )
    chosen = matching(scenarios, patterns)
    if not chosen:
        raise UsageError(
            f"SCENARIOS={' '.join(patterns)} leaves no scenario", f"choose from: {' '.join(names)}"
        )
    flavours = [check_flavour(name) for name in environ.get("FLAVOURS", "").split()]
    pages = environ.get("CONFIGS", "").split()
    for page in pages:
        if page not in e2e_scenario.PAGES:
            raise UsageError(
                f"CONFIGS: make e2e has no '{page}'", f"choose from: {' '.join(e2e_scenario.PAGES)}"
            )
    asked = [(f, p, ALL) for f in flavours or FLAVOURS for p in pages or PAGES]
    plans = (
        Plan(f, p, tuple(s for s in matching(chosen, globs) if p in s.pages))
        for f, p, globs in (asked if flavours or pages else RUNS)
    )
    found = [plan for plan in plans if plan.scenarios]
    if not found:
        raise UsageError(
            "none of these scenarios goes with these page sizes",
            "see the lines 'pages' in tools/testing/kunit/data/scenarios",
        )
    return found


def matching(scenarios: Sequence[Scenario], patterns: Sequence[str]) -> list[Scenario]:
    """Those whose name, or name and values, a pattern matches, and none that begins with !."""
    wanted = [pattern for pattern in patterns if not pattern.startswith("!")] or ALL
    unwanted = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    return [s for s in scenarios if _matches(s, wanted) and not _matches(s, unwanted)]


def _matches(scenario: Scenario, patterns: Sequence[str]) -> bool:
    names = (scenario.name, scenario.variant)
    return any(fnmatch.fnmatch(name, pattern) for name in names for pattern in patterns)
