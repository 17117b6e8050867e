"""`vo-server adql`."""

from pathlib import Path
from typing import Annotated

import typer

from vo_server import adqlcheck
from vo_server.commands.console import err, out
from vo_server.settings import load_settings


def adql(
    files: Annotated[list[Path], typer.Argument(help="Files with one query each; - is standard input.")],
    syntax: Annotated[
        bool, typer.Option("--syntax", help="Check the grammar only, without a database.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse extensions of ADQL 2.1.")] = False,
) -> None:
    """Check queries, and show the SQL and the result columns; exit code 1 if one is refused."""

    def say(text: str) -> None:
        out.print(text, markup=False)

    def complain(text: str) -> None:
        err.print(text, markup=False)

    if syntax:
        code = adqlcheck.check_files(files, say, complain, strict=strict)
    else:
        known, note = adqlcheck.published(load_settings())
        complain(f"note: {note}")
        code = adqlcheck.translate_files(files, known, say, complain, strict=strict)
    if code:
        raise typer.Exit(code)
