"""The products that datasets consist of: the names that they are published under, and those of GADF."""

from collections.abc import Mapping
from typing import Final

EVENT_LIST: Final = "event-list"
GTI: Final = "gti"
RESPONSES: Final = ("aeff", "edisp", "psf", "bkgrate", "rad_max")
"""Response functions: terms of the vocabulary http://www.ivoa.net/rdf/response-type, but for the last one."""

SPECTRUM: Final = "spectrum"
LIGHT_CURVE: Final = "light-curve"
PROFILE: Final = "spatial-profile"
FLUX_POINTS: Final = (SPECTRUM, LIGHT_CURVE, PROFILE)
"""Products that are datasets of their own beside event lists."""

PRODUCTS: Final = (EVENT_LIST, GTI, *RESPONSES, *FLUX_POINTS)
"""All of them."""

HDU_TYPES: Final[Mapping[str, str]] = {
    EVENT_LIST: "events",
    GTI: "gti",
    "aeff": "aeff",
    "edisp": "edisp",
    "psf": "psf",
    "bkgrate": "bkg",
    "rad_max": "rad_max",
}
"""Product -> HDU_TYPE (GADF 0.3, "HDU index table"), which flux points have none of."""
