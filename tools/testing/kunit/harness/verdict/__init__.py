# SPDX-License-Identifier: GPL-2.0
"""From a console log to results: judge them and write them."""
