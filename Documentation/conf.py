# SPDX-License-Identifier: GPL-2.0
"""Sphinx configuration. It uses the kernel's own extensions from a prepared tree.

make docs sets srctree, the kernel's name for the path of that tree.
"""

import os
import sys

_TREE = os.environ["srctree"]
sys.path.insert(0, os.path.join(_TREE, "Documentation/sphinx"))

project = "struct page memory from the device"
extensions = ["kerneldoc", "automarkup"]
highlight_language = "none"
# Bold and italics, no colours: it reads the same in light and dark mode.
pygments_style = "bw"
primary_domain = "c"
# Annotations that Sphinx's C parser does not know.
c_id_attributes = ["__meminit"]
kerneldoc_bin = os.path.join(_TREE, "scripts/kernel-doc")
kerneldoc_srctree = _TREE
html_title = project
html_theme = "alabaster"
# custom.css gives each colour a value for light and one for dark mode.
html_static_path = ["custom.css"]
html_theme_options = {
    "description": "A patch series and KUnit suites for struct vmem_altmap",
    "page_width": "66em",
    "sidebar_width": "17em",
    "show_relbar_bottom": True,
    "font_family": "system-ui, 'Helvetica Neue', Helvetica, Arial, sans-serif",
    "font_size": "16px",
    "code_font_family": "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace",
    "code_font_size": "0.88em",
    "base_bg": "var(--page)",
    "base_text": "var(--text)",
    "body_text": "var(--text)",
    "gray_1": "var(--text)",
    "gray_2": "var(--code)",
    "gray_3": "var(--faint)",
    "link": "var(--link)",
    "link_hover": "var(--link)",
    "anchor": "var(--line)",
    "anchor_hover_bg": "var(--code)",
    "sidebar_text": "var(--faint)",
    "sidebar_list": "var(--text)",
    "sidebar_link_underscore": "var(--line)",
    "sidebar_search_button": "var(--line)",
    "narrow_sidebar_bg": "var(--code)",
    "narrow_sidebar_fg": "var(--text)",
    "narrow_sidebar_link": "var(--text)",
    "relbar_border": "var(--line)",
    "table_border": "var(--line)",
    "hr_border": "var(--line)",
    "code_bg": "var(--code)",
    "code_text": "var(--text)",
    "code_hover": "var(--code)",
    "xref_bg": "var(--code)",
    "xref_border": "var(--code)",
    "highlight_bg": "var(--mark)",
    "warn_bg": "var(--warn)",
    "warn_border": "var(--line)",
    "note_border": "var(--line)",
    "admonition_border": "var(--line)",
}
html_sidebars = {"**": ["about.html", "searchbox.html", "globaltoc.html"]}
html_copy_source = False
html_show_copyright = False
