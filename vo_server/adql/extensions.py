"""What the grammar of this server has besides that of ADQL 2.1: the register of the extensions.

They are what users of other SQL dialects write. A strict parser refuses each of them, and the TAP
capabilities declare each of them. Two liberties are no extensions, since the IVOA's validation queries
take them: * beside other items of a select list, and a string literal over several lines.
"""

from dataclasses import dataclass

from vo_server.adql.errors import ADQLError, Span


@dataclass(frozen=True, slots=True)
class Extension:
    """One extension: what errors call it, how it is written, what it does."""

    name: str
    form: str
    description: str

    def refused(self, at: Span) -> ADQLError:
        """The error where only ADQL 2.1 is accepted."""
        return ADQLError(
            f"{self.name} is an extension of this server, not ADQL 2.1", at, f"the form is {self.form}"
        )


SEARCHED_CASE = Extension(
    "CASE",
    "CASE WHEN condition THEN value [WHEN ...] [ELSE value] END",
    "The value behind the first condition that is true, else that of ELSE, else NULL.",
)
SIMPLE_CASE = Extension(
    "CASE",
    "CASE value WHEN value THEN value [WHEN ...] [ELSE value] END",
    "The value behind the first WHEN that equals the first value, else that of ELSE, else NULL.",
)
NULLIF = Extension("NULLIF", "NULLIF(a, b)", "NULL if the two values are equal, else the first one.")
GREATEST = Extension(
    "GREATEST", "GREATEST(a, ...)", "The largest value; NULLs are left out, and NULL comes if all are NULL."
)
LEAST = Extension(
    "LEAST", "LEAST(a, ...)", "The smallest value; NULLs are left out, and NULL comes if all are NULL."
)
SCALAR_QUERY = Extension(
    "a query as a value",
    "(SELECT value FROM ...)",
    "A query of one column in parentheses stands for the value in its only row, or for NULL if it has"
    " none; more rows than one are an error.",
)
ESCAPE = Extension(
    "ESCAPE",
    "LIKE pattern ESCAPE 'c'",
    "The character makes % and _ behind it stand for themselves; so with ILIKE.",
)
SET_DISTINCT = Extension(
    "DISTINCT behind a set operator",
    "UNION DISTINCT",
    "The same as the bare set operator; so with EXCEPT and INTERSECT.",
)
SEMICOLON = Extension("the semicolon", ";", "A semicolon behind the query.")

EXTENSIONS: tuple[Extension, ...] = (
    SEARCHED_CASE,
    SIMPLE_CASE,
    NULLIF,
    GREATEST,
    LEAST,
    SCALAR_QUERY,
    ESCAPE,
    SET_DISTINCT,
    SEMICOLON,
)
"""All of them."""

EXTENDED_FUNCTIONS = {e.name: e for e in (NULLIF, GREATEST, LEAST)}
"""Those that read like functions, by name."""
