# SPDX-License-Identifier: GPL-2.0
"""The packages of harness are in layers: each imports only from the layers below it."""

import ast
import unittest
from collections.abc import Iterator
from pathlib import Path

from tests.world.fake import TOOLS

# The layers, lowest first. Packages of one layer do not import each other.
LAYERS = (
    {"base"},
    {"request"},
    {"trees"},
    {"kernel"},
    {"verdict"},
    {"originmap", "matrix", "e2e", "outgoing"},
    {"revision", "mutation", "bench", "coverage"},
    {"commands"},
)
HARNESS = TOOLS / "harness"
LONGEST = 300


def layer(package: str) -> int:
    """The number of a package's layer."""
    return next(number for number, names in enumerate(LAYERS) if package in names)


def imports(path: Path) -> Iterator[str]:
    """The modules of harness that a file imports, as package.module."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("harness."):
            words = (node.module or "").split(".")[1:]
            yield from (".".join([*words, alias.name]) for alias in node.names)


class Layers(unittest.TestCase):
    def test_each_package_has_a_layer_and_a_docstring(self) -> None:
        there = {path.parent.name for path in HARNESS.glob("*/*.py")}
        self.assertEqual(set().union(*LAYERS), there)
        for package in there:
            with self.subTest(package):
                text = (HARNESS / package / "__init__.py").read_text(encoding="utf-8")
                self.assertRegex(text, r'(?s)^# SPDX-License-Identifier: GPL-2.0\n"""[^"]+\."""\n$')

    def test_a_package_imports_only_lower_layers(self) -> None:
        seen = 0
        for path in HARNESS.glob("*/*.py"):
            package = path.parent.name
            for name in imports(path):
                other = name.split(".")[0]
                seen += 1
                with self.subTest(f"{package}/{path.name} imports {name}"):
                    self.assertTrue(other == package != "commands" or layer(other) < layer(package))
        self.assertGreater(seen, 200)

    def test_no_file_is_long(self) -> None:
        for path in (*HARNESS.rglob("*.py"), TOOLS / "altmap", TOOLS / "kunit.py"):
            with self.subTest(str(path.relative_to(TOOLS))):
                self.assertLessEqual(len(path.read_text(encoding="utf-8").splitlines()), LONGEST)


if __name__ == "__main__":
    unittest.main()
