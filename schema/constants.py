"""Constants of nature (SI Brochure, 9th edition: all exact) and factors between units."""

from typing import Final

ELECTRONVOLT: Final = 1.602176634e-19
"""J."""

HC: Final = 6.62607015e-34 * 299792458.0 / ELECTRONVOLT
"""eV m: the energy of a photon times its wavelength, Planck's constant times the speed of light."""

EV_PER_TEV: Final = 1e12
