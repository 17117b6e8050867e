"""The URLs of what there is of each collection; `server` is the public URL without a slash at its end."""

from schema.collection import Collection


def page(server: str, collection: Collection) -> str:
    """The landing page."""
    return f"{server}/collections/{collection.schema}"


def coverage(server: str, collection: Collection, name: str) -> str:
    """The coverage in one of its forms, such as `moc.png`."""
    return f"{server}/coverage/{collection.schema}/{name}"


def cone_search(server: str, collection: Collection) -> str:
    """The cone search, to which a client adds `?` and parameters."""
    return f"{server}/scs/{collection.schema}"


def spectral_search(server: str, collection: Collection) -> str:
    """The spectral search, to which a client adds `?` and parameters."""
    return f"{server}/ssa/{collection.schema}"


def hips(server: str, collection: Collection) -> str:
    """The HiPS of the counts."""
    return f"{server}/hips/{collection.schema}"
