"""What a header tells of the selection: data subspace keywords and HISTORY.

DSTYPn, DSUNIn, DSVALn and DSREFn are those of the OGIP data subspace convention as Fermi and CTA write them:
all of them hold together, so that new ones are added to those that are there.
"""

from collections.abc import Iterable
from typing import Final

from astropy.io import fits

from vo_server.soda.selection import Selection
from vo_server.soda.shapes import span

_GTI: Final = ("TIME", "s", "TABLE", ":GTI")

Subspace = tuple[str, str, str, str | None]
"""DSTYP, DSUNI, DSVAL and DSREF."""


def record(header: fits.Header, selection: Selection, has_gti: bool, history: Iterable[str]) -> None:
    """Write the selection into the header of the events."""
    number = _present(header)
    known = {(header.get(f"DSTYP{n}"), header.get(f"DSREF{n}")) for n in range(1, number + 1)}
    for kind, unit, value, reference in _subspaces(selection, has_gti):
        if reference is not None and (kind, reference) in known:
            continue
        number += 1
        header[f"DSTYP{number}"] = kind
        header[f"DSUNI{number}"] = unit
        header[f"DSVAL{number}"] = value
        if reference is not None:
            header[f"DSREF{number}"] = reference
    if number:
        header["NDSKEYS"] = number
    for line in history:
        header.add_history(line)


def _present(header: fits.Header) -> int:
    number = 0
    while f"DSTYP{number + 1}" in header:
        number += 1
    return number


def _subspaces(selection: Selection, has_gti: bool) -> list[Subspace]:
    found: list[Subspace] = []
    if selection.time is not None:
        found.append(_GTI if has_gti else ("MJD(UTC)", "d", span(*selection.time), None))
    found += [(kind, "deg", value, None) for shape in selection.regions for kind, value in shape.subspace()]
    if selection.energy is not None:
        found.append(("ENERGY", "TeV", span(*selection.energy), None))
    return found
