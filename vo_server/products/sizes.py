"""How many octets a download has, told from the database alone."""

from collections.abc import Mapping

from schema.products import EVENT_LIST, GTI
from vo_server.products.hdus import PRIMARY


def product_size(product: str, hdu_sizes: Mapping[str, int | None], hdu: str) -> int | None:
    """The Content-Length of `/products` for a product; None where ingest has not recorded it.

    `hdu_sizes` are the values of vo.product.hdu_size of the dataset by product, `hdu` that of vo.product.hdu
    for this one. The size of a whole file is vo.product.size; that of a bundle is not known before its
    index tables are made.
    """
    parts = [product, GTI] if product == EVENT_LIST and GTI in hdu_sizes else [product]
    sizes = [hdu_sizes.get(part) for part in parts]
    known = [size for size in sizes if size is not None]
    # The HDU of number 0 is a primary HDU itself.
    return None if len(known) < len(sizes) else sum(known) + (0 if hdu == "0" else len(PRIMARY))
