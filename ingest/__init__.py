"""How data get in: FITS files -> facts -> rows -> database."""
