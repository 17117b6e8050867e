"""What users bring along from other SQL dialects, and what ADQL has in its place: hints for errors."""

from collections.abc import Iterable

from vo_server.adql import nodes
from vo_server.adql.errors import ADQLError, did_you_mean

_TOP = "ADQL limits rows with SELECT TOP n"
_TABLES = "tap_schema.tables lists the tables, tap_schema.columns their columns"
_READS = "ADQL only reads"
_NOW = "ADQL has no current time; timestamps are written '2026-01-01T12:00:00'"
_COMMENT = "comments begin with -- and end with the line"
_TEXT = "ADQL has no such function; LIKE finds text that begins with, ends with or holds something"
_PATTERN = "patterns are matched with LIKE or ILIKE, where % stands for any text and _ for one character"
_CASE = "write CASE WHEN condition THEN a ELSE b END"
_BOOLEAN = "ADQL has no boolean values; flags are compared with numbers, as in x = 1"
_SPREAD = "the standard deviation is SQRT(AVG(x * x) - AVG(x) * AVG(x))"

WORDS: dict[str, str] = {
    "LIMIT": _TOP,
    "FETCH": _TOP,
    "SHOW": _TABLES,
    "DESCRIBE": _TABLES,
    "INSERT": _READS,
    "UPDATE": _READS,
    "DELETE": _READS,
    "DROP": _READS,
    "CREATE": _READS,
    "CROSS": "all pairs of rows of two tables come from FROM a, b",
    "OUTER": "an outer join is LEFT, RIGHT or FULL [OUTER] JOIN",
    "MINUS": "this set operator is called EXCEPT",
    "REGEXP": _PATTERN,
    "RLIKE": _PATTERN,
    "SIMILAR": _PATTERN,
    "ASCENDING": "it is written ASC",
    "DESCENDING": "it is written DESC",
    "NULLS": "ADQL does not say where NULLs are sorted",
    "OVER": "ADQL has no window functions",
}
"""By a word that cannot stand where it does."""

VALUES: dict[str, str] = {
    "INTERVAL": "ADQL has no spans of time; ivo_to_mjd(x) is in days and can be computed with",
    "CURRENT_TIMESTAMP": _NOW,
    "CURRENT_DATE": _NOW,
    "CURRENT_TIME": _NOW,
    "TRUE": _BOOLEAN,
    "FALSE": _BOOLEAN,
}
"""By a reserved word in the place of a value."""

PAIRS: dict[str, str] = {
    "==": "equality is written with one =",
    "=>": "it is written >=",
    "=<": "it is written <=",
    "<<": "ADQL has no operators on bits",
    ">>": "ADQL has no operators on bits",
    "**": "a power is written POWER(x, y)",
    "/*": _COMMENT,
    "//": _COMMENT,
}
"""By two symbols without a space between them."""

CHARACTERS: dict[str, str] = {
    "%": "the remainder is MOD(x, y); a pattern is a string, as in LIKE 'Crab%'",
    "`": 'identifiers are quoted with "',
    "[": 'identifiers are quoted with "; there are no arrays',
    "“": "strings are quoted with ', identifiers with \"",
    "”": "strings are quoted with ', identifiers with \"",
    "‘": "strings are quoted with '",  # noqa: RUF001 - the typographic quote is what is explained
    "’": "strings are quoted with '",  # noqa: RUF001 - the typographic quote is what is explained
    "!": "not equal is written <> or !=",
    "|": "strings are joined with ||, conditions with OR",
    "&": "conditions are joined with AND",
    "^": "a power is written POWER(x, y)",
    "~": _PATTERN,
    "#": _COMMENT,
    ":": "angles are in degrees; ivo_hms_to_degrees('5:34:32') computes them",
    "::": "a cast is written CAST(x AS type)",
}
"""By a character, or two of the same, that begin no token."""

TYPES: dict[str, str] = {
    **dict.fromkeys(("INT", "INT4"), "INTEGER"),
    **dict.fromkeys(("LONG", "INT8"), "BIGINT"),
    **dict.fromkeys(("DOUBLE", "FLOAT", "FLOAT8", "NUMERIC", "DECIMAL"), "DOUBLE PRECISION"),
    **dict.fromkeys(("TEXT", "STRING", "CHARACTER"), "VARCHAR"),
    **dict.fromkeys(("DATE", "DATETIME", "TIME"), "TIMESTAMP"),
}
"""ADQL's name of a type by that of other dialects."""

FUNCTIONS: dict[str, str] = {
    "POW": "it is called POWER(x, y)",
    "LN": "the natural logarithm is LOG(x)",
    "CEIL": "it is called CEILING(x)",
    "TRUNC": "it is called TRUNCATE(x)",
    "RANDOM": "it is called RAND()",
    "CONCAT": "strings are joined with ||",
    **dict.fromkeys(("IFNULL", "ISNULL", "NVL"), "it is called COALESCE(x, y)"),
    **dict.fromkeys(("IF", "IIF", "DECODE"), _CASE),
    **dict.fromkeys(("NOW", "GETDATE", "SYSDATE", "TODAY"), _NOW),
    **dict.fromkeys(("SUBSTRING", "SUBSTR", "LEFT", "RIGHT", "POSITION", "STRPOS"), _TEXT),
    **dict.fromkeys(("LENGTH", "LEN", "CHAR_LENGTH", "TRIM", "REPLACE"), _TEXT),
    **dict.fromkeys(("REGEXP_LIKE", "REGEXP_MATCHES"), _PATTERN),
    **dict.fromkeys(("STDDEV", "STDEV", "STD", "STDDEV_SAMP", "STDDEV_POP"), _SPREAD),
    **dict.fromkeys(("GROUP_CONCAT", "STRING_AGG", "LISTAGG"), "it is called ivo_string_agg(x, ',')"),
    **dict.fromkeys(("TO_CHAR", "STR"), "a number becomes text with CAST(x AS VARCHAR)"),
    **dict.fromkeys(("INT", "INTEGER", "FLOAT", "CONVERT"), "a cast is written CAST(x AS type)"),
    **dict.fromkeys(("DATE", "TO_DATE", "TO_TIMESTAMP"), "a cast is written CAST('2026-01-01' AS TIMESTAMP)"),
    "ROW_NUMBER": "ADQL has no window functions",
}
"""By a function that ADQL does not have."""


def unknown_function(node: nodes.Call, known: Iterable[str]) -> ADQLError:
    """The error for the call of a function that is none of `known`."""
    hint = FUNCTIONS.get(node.name.upper()) or did_you_mean(node.name, known)
    return ADQLError(f"unknown function {node.name}", node.name_at, hint)
