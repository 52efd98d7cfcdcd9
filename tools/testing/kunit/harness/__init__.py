# SPDX-License-Identifier: GPL-2.0
"""From a patch revision to a verdict. A room imports from the rooms below it, never from those above."""
