"""Placeholders in SQL."""

import re

PLACEHOLDER = re.compile(r"""\"(?:[^\"]|\"\")*\"|'(?:[^']|'')*'|\$([0-9]+)""")
"""A placeholder, or quoted text in which none is looked for."""
