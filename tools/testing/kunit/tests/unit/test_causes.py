# SPDX-License-Identifier: GPL-2.0
"""make revision reports one cause for one bug, however many cases fail because of it."""

import unittest

from harness.kernel.finding import Finding, Kind, of_case
from harness.revision.blame import Fault, Shown
from harness.revision.causes import Cause, causes, summary
from tests.unit.outcomes import death, splat

WARN = "WARNING: CPU: 0 PID: 7 at mm/memremap.c:143 memunmap_pages+0x1f4/0x218"


def failed(case: str, *log: str, patch: int | None = 3, config: str = "4k") -> Fault:
    """A failed case. log is what the kernel printed."""
    shown = Shown.PATCH if patch else Shown.TIP
    return Fault(Finding(Kind.FAILED, f"{case} failed", log, of_case(case)), shown, patch, config)


def message(number: int) -> tuple[str, str, str]:
    """A message of KUnit. Its addresses and numbers depend on number, the rest does not."""
    return (
        f"# case_{number}: EXPECTATION FAILED at mm/tests/fake_dev.c:{number}",
        f"page {number} of the memmap, at 0xfffffdffc{number}000000, is in RAM",
        "got = 7",
    )


class Causes(unittest.TestCase):
    def found(self, *faults: Fault) -> list[tuple[int | None, int]]:
        """The patch of each cause, and its number of cases."""
        return [(cause.patch, len(cause.cases)) for cause in causes(faults)]

    def test_the_same_message(self) -> None:
        faults = [failed(f"s.a{n}", *message(n)) for n in range(1, 30)]
        self.assertEqual([(3, 29)], self.found(*faults))
        (cause,) = causes(faults)
        self.assertEqual(message(1), cause.evidence)

    def test_another_message(self) -> None:
        other = ("# c: ASSERTION FAILED at mm/tests/x.c:1", "there is no page")
        self.assertEqual(
            [(3, 2), (3, 1)],
            self.found(
                failed("s.c", *other), failed("s.a", *message(1)), failed("s.b", *message(2))
            ),
        )

    def test_a_case_without_a_message_is_a_cause_of_its_own(self) -> None:
        self.assertEqual([(3, 1), (3, 1)], self.found(failed("s.a", "x"), failed("s.b", "x")))

    def test_the_same_warn(self) -> None:
        """The same WARN in two cases and in the log of another boot is one cause."""
        boot = Fault(splat(WARN.replace("PID: 7", "PID: 9")), Shown.PATCH, 3, "64k")
        (cause,) = causes([failed("s.a", WARN, *message(1)), failed("s.b", WARN), boot])
        self.assertEqual(
            (3, ("s.a", "s.b"), ("64k", "4k")), (cause.patch, cause.cases, cause.configs)
        )
        self.assertIs(boot, cause.first)

    def test_a_patch_is_blamed_for_failures_with_the_same_message(self) -> None:
        tip = [failed(f"s.t{n}", *message(n), patch=None) for n in range(5)]
        self.assertEqual([(2, 6)], self.found(*tip, failed("s.a", *message(9), patch=2)))
        # If no patch is blamed for that message, the cause has no patch.
        self.assertEqual([(None, 5)], self.found(*tip))

    def test_the_same_error_of_the_compiler(self) -> None:
        """The line number may differ, because a later patch moves the line."""
        log = "../mm/x.c:{}:57: error: 'altmap' undeclared (first use in this function)"
        first, tip = (Finding(Kind.BUILD, "it", (log.format(n),)) for n in (319, 341))
        faults = Fault(first, Shown.PATCH, 1, "4k"), Fault(tip, Shown.TIP, None, "64k")
        (cause,) = causes(faults)
        self.assertEqual((1, ("4k", "64k")), (cause.patch, cause.configs))
        other = Finding(Kind.BUILD, "it", ("../mm/x.c:7:1: error: too few arguments",))
        self.assertEqual(2, len(causes([*faults, Fault(other, Shown.TIP, None, "16k")])))

    def test_two_patches_with_the_same_message(self) -> None:
        one, two = failed("s.a", *message(1), patch=1), failed("s.b", *message(2), patch=2)
        tip = failed("s.c", *message(3), patch=None)
        self.assertEqual([(1, 2), (2, 1)], self.found(two, tip, one))

    def test_the_worst_comes_first(self) -> None:
        panic = Fault(death(Kind.PANIC, "s.p"), Shown.PATCH, 3, "4k")
        style = Fault(Finding(Kind.CHECKPATCH, "an error"), Shown.PATCH, 3)
        found = causes([style, failed("s.a", *message(1)), panic])
        self.assertEqual(
            [Kind.PANIC, Kind.FAILED, Kind.CHECKPATCH], [c.first.finding.kind for c in found]
        )

    def summary(self, *faults: Fault) -> str:
        return summary([Cause(3, (fault,)) for fault in faults])

    def test_the_headline_says_what_a_patch_did(self) -> None:
        panic = Fault(death(Kind.PANIC, "s.p"), Shown.PATCH, 3, "4k")
        style = Fault(Finding(Kind.CHECKPATCH, "an error"), Shown.PATCH, 3)
        self.assertEqual("breaks 1 case", self.summary(failed("s.a"), style))
        self.assertEqual(
            "breaks 2 cases", self.summary(failed("s.a"), failed("s.b"), failed("s.a"))
        )
        self.assertEqual("makes the kernel panic", self.summary(failed("s.a"), panic))
        self.assertEqual("has checkpatch errors", self.summary(style))
        for kind in Kind:
            self.assertTrue(self.summary(Fault(Finding(kind, "x"), Shown.PATCH, 3)))


if __name__ == "__main__":
    unittest.main()
