# SPDX-License-Identifier: GPL-2.0
"""Sphinx for these pages: the kernel's own extensions, out of a prepared tree.

make docs says in the variable srctree, the kernel's name for it, where that tree is.
"""

import os
import sys

_TREE = os.environ["srctree"]
sys.path.insert(0, os.path.join(_TREE, "Documentation/sphinx"))

project = "struct page memory from the device, on arm64"
extensions = ["kerneldoc", "automarkup"]
highlight_language = "none"
primary_domain = "c"
# Annotations that Sphinx's C parser does not know.
c_id_attributes = ["__meminit"]
kerneldoc_bin = os.path.join(_TREE, "scripts/kernel-doc")
kerneldoc_srctree = _TREE
html_theme = "alabaster"
html_theme_options = {
    "description": "KUnit suites and a patch series for vmem_altmap",
    "page_width": "70em",
    "sidebar_width": "17em",
}
html_sidebars = {"**": ["about.html", "searchbox.html", "localtoc.html", "globaltoc.html"]}
html_copy_source = False
html_show_copyright = False
