# SPDX-License-Identifier: GPL-2.0
"""Select scenarios and kernels."""

import fnmatch
from collections.abc import Mapping, Sequence

from harness.base.errors import UsageError
from harness.e2e import scenario as e2e_scenario
from harness.e2e.run import FRAGMENT, SELFTESTS, SLOTS, Selection
from harness.e2e.scenario import Scenario
from harness.request.settings import check_config, check_flavour
from harness.request.settings import choose as names_in

ALL = ("*",)
# The default runs. series 4k and 64k show that the feature works; with 64K pages, devices
# share pages of the memmap. stock shows the result without the fixes. On baseline, the
# scenarios must notice that the feature is missing. With 4K pages devices never share a
# page, so a few variants are enough there, as they are on stock. Only fast has enough RAM
# for tera.
RUNS = (
    ("series", "4k", ("*", "!tera", "!geometry-pair/[!4]*", "!geometry-triple/2M,*")),
    ("series", "64k", ("*", "!tera", "!geometry-labels")),
    ("stock", "64k", ("geometry-pair", "!geometry-pair/[236]*")),
    ("baseline", "4k", ("evidence", "ram-spent", "system-ram")),
    ("fast", "4k", ("tera",)),
)
# The defaults if only one of FLAVOURS and CONFIGS is set.
FLAVOURS, PAGES = ("series",), ("4k", "64k")


def choose(scenarios: Sequence[Scenario], environ: Mapping[str, str]) -> list[Selection]:
    """The kernels and scenarios that the variables select. Raises UsageError."""
    patterns = environ.get("SCENARIOS", "").split() or ALL
    names = dict.fromkeys(s.name for s in scenarios)
    for pattern in patterns:
        if not any(_matches(s, [pattern.lstrip("!")]) for s in scenarios):
            raise UsageError(
                f"SCENARIOS: there is no scenario '{pattern}'", f"choose from: {' '.join(names)}"
            )
    chosen = matching(scenarios, patterns)
    if not chosen:
        raise UsageError(
            f"SCENARIOS={' '.join(patterns)} selects none", f"choose from: {' '.join(names)}"
        )
    flavours = [
        check_flavour(name, variable="FLAVOURS") for name in environ.get("FLAVOURS", "").split()
    ]
    configs = environ.get("CONFIGS", "").split()
    asked = [(f, c, ALL) for f in flavours or FLAVOURS for c in configs or PAGES]
    selections = (
        _selection(f, c, matching(chosen, globs))
        for f, c, globs in (asked if flavours or configs else RUNS)
    )
    found = [selection for selection in selections if selection.scenarios]
    if not found:
        raise UsageError(
            "none of these scenarios supports these page sizes",
            "see the 'pages' lines in tools/testing/kunit/data/scenarios",
        )
    return found


def _selection(flavour: str, config: str, scenarios: Sequence[Scenario]) -> Selection:
    """The scenarios that support a config: a page size, and fragments such as kasan."""
    page, *added = config.split("-")
    names_in("CONFIGS", page, e2e_scenario.PAGES)
    for name in {FRAGMENT, SLOTS, SELFTESTS} & {*added}:
        raise UsageError(
            f"CONFIGS={config} has '{name}', which make e2e adds if it is needed", "leave it out"
        )
    check_config(config, "CONFIGS")
    supported = tuple(scenario for scenario in scenarios if page in scenario.pages)
    return Selection(flavour, page, supported, added=tuple(added))


def matching(scenarios: Sequence[Scenario], patterns: Sequence[str]) -> list[Scenario]:
    """The scenarios that match any pattern, and none of those that begin with "!".

    A pattern matches the name, or the name with the values.
    """
    wanted = [pattern for pattern in patterns if not pattern.startswith("!")] or ALL
    unwanted = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    return [s for s in scenarios if _matches(s, wanted) and not _matches(s, unwanted)]


def _matches(scenario: Scenario, patterns: Sequence[str]) -> bool:
    names = (scenario.name, scenario.variant)
    return any(fnmatch.fnmatch(name, pattern) for name in names for pattern in patterns)
