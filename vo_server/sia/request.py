"""From the parameters of SIA 2.0 to a query of ivoa.obscore (section 2.1)."""

from collections.abc import Sequence
from typing import Final

from schema.collection import Collection
from schema.products import EVENT_LIST
from vo_server import dali
from vo_server.adql.writing import string
from vo_server.dali import Parameters
from vo_server.errors import UsageError
from vo_server.results import DEFAULT, find_format
from vo_server.settings import Settings
from vo_server.sia.parameters import PARAMETERS
from vo_server.tap.request import TapRequest

STANDARD: Final = "ivo://ivoa.net/std/SIA#query-2.0"

KINDS: Final = ("image", "cube", EVENT_LIST)
"""What is found where no kind is asked for, beside the event lists that collections call otherwise.

Section 2.1.14 would have images and cubes only. But event lists are what images are made from, and all
that such archives have: whoever searches by position and is told of nothing does not look again.
"""

ASKING_FOR_KINDS: Final = ("DPTYPE", "ID")
"""With one of these the datasets may be of every kind."""


def request(parameters: Parameters, collections: Sequence[Collection], settings: Settings) -> TapRequest:
    """The query for the datasets that meet a value of each parameter that is given.

    Raises UsageError; what SIA does not know is ignored.
    """
    conditions = []
    for parameter in PARAMETERS:
        values = dict.fromkeys(parameters.all(parameter.name))
        if values:
            conditions.append(f"({' OR '.join(map(parameter.condition, values))})")
    if not any(parameters.all(name) for name in ASKING_FOR_KINDS):
        kinds = dict.fromkeys((*KINDS, *(c.product_type for c in collections)))
        conditions.append(f"dataproduct_type IN ({', '.join(map(string, kinds))})")
    query = f"SELECT * FROM ivoa.obscore WHERE {' AND '.join(conditions)}"  # noqa: S608  of our making
    if len(query.encode()) > settings.query_bytes:
        raise UsageError(f"the values make a query of more than the {settings.query_bytes} bytes allowed")
    asked = parameters.one("RESPONSEFORMAT")
    chosen, content_type = (DEFAULT, DEFAULT.content_type) if asked is None else find_format(asked)
    return TapRequest(query, dali.maxrec(parameters, settings), chosen, content_type, standard=STANDARD)
