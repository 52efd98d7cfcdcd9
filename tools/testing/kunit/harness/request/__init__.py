# SPDX-License-Identifier: GPL-2.0
"""What the user asked for, as options or variables: touches neither disk nor network."""
