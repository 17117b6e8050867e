"""The one entry point: `translate`, and what it returns."""

from dataclasses import dataclass

from schema.model import Catalogue
from schema.types import VARCHAR, Type
from vo_server.adql.errors import ADQLError
from vo_server.adql.objects import SIMBADPOINT, Resolve, with_positions
from vo_server.adql.parser import parse
from vo_server.adql.placeholders import PLACEHOLDER
from vo_server.adql.postgres import QueryRenderer
from vo_server.adql.tables import Output
from vo_server.adql.units import UNKNOWN


@dataclass(frozen=True, slots=True)
class ResultColumn:
    """One column of the result; `source` is the full table.column it passes through unchanged."""

    name: str
    type: Type
    description: str = ""
    unit: str | None = None
    ucd: str | None = None
    utype: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Translation:
    """SQL with placeholders `$1`, `$2` ..., the values bound to them, and the columns it returns."""

    sql: str
    parameters: tuple[str | int | float | None, ...]
    columns: tuple[ResultColumn, ...]
    tables: tuple[str, ...]


def translate(
    text: str, catalogue: Catalogue, *, limit: int | None = None, resolve: Resolve | None = None
) -> Translation:
    """Translate one ADQL 2.1 query to PostgreSQL.

    At most `limit` rows come back (fewer if the query says TOP): give one more than the user may
    have to learn whether there were more. `resolve` finds the objects of ivo_simbadpoint, which is
    unknown without. Raises ADQLError, whatever the text is, and what `resolve` raises but LookupError.
    """
    try:
        query = parse(text)
        if SIMBADPOINT.name in text.lower():
            with_positions(query, resolve)
        renderer = QueryRenderer(catalogue, text)
        sql, outputs = renderer.statement(query, limit)
    except ADQLError as error:
        raise error.locate(text) from None
    except RecursionError:
        raise ADQLError("the query is nested too deeply").locate(text) from None
    sql, parameters = _numbered(sql, renderer.parameters.values)
    return Translation(sql, parameters, tuple(_column(o) for o in outputs), tuple(renderer.used.tables))


def _column(output: Output) -> ResultColumn:
    meta = output.term.meta
    kind = output.term.type or VARCHAR
    unit = None if meta.unit == UNKNOWN else meta.unit
    return ResultColumn(output.name, kind, meta.description, unit, meta.ucd, meta.utype, meta.source)


def _numbered(sql: str, values: list[str]) -> tuple[str, tuple[str, ...]]:
    """Placeholders numbered as they occur, without values that the statement came not to use."""
    if not values:
        return sql, ()
    used = [int(n) for n in dict.fromkeys(PLACEHOLDER.findall(sql)) if n]
    if used != list(range(1, len(values) + 1)):
        order = {str(old): new for new, old in enumerate(used, start=1)}
        sql = PLACEHOLDER.sub(lambda m: f"${order[m[1]]}" if m[1] else m[0], sql)
    return sql, tuple(values[n - 1] for n in used)
