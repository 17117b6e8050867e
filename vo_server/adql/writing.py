"""ADQL that the server writes itself: values of requests as literals, never pasted."""


def string(text: str) -> str:
    """`text` as a character string literal (ADQL 2.1, section 2.1.4)."""
    return "'" + text.replace("'", "''") + "'"


def number(value: float) -> str:
    """A finite `value` as a numeric literal that is read back as the same number."""
    return repr(float(value))
