"""The texts that go with a bundle: how to open it, on what terms the data are, and checksums."""

from collections.abc import Iterable, Mapping, Sequence
from textwrap import fill
from typing import Final

from schema.collection import Collection
from vo_server.bundles.member import Member
from vo_server.bundles.store import Observation

_README: Final = """\
{title}

{content}

Open it with gammapy, in this directory:

    from gammapy.data import DataStore
    store = DataStore.from_dir(".")
    observations = store.get_observations()

Where response functions are missing, tell which ones you need:
store.get_observations(required_irf=["aeff", "edisp"]), or required_irf="all-optional".

hdu-index.fits.gz  where the event lists and response functions are (GADF 0.3)
obs-index.fits.gz  what is known of each observation
data/              the files as their release has them
LICENCE.txt        on what terms they may be used, and how to acknowledge them
SHA256SUMS         checksums of all other files; `sha256sum -c SHA256SUMS` compares them
"""

_RENUMBERED: Final = """
Observations need whole numbers that differ: some were given new ones in the index tables.

    OBS_ID here: identifier in the archive
"""


def readme(observations: Sequence[Observation], ids: Mapping[str, int], archive: str) -> str:
    """What is in the bundle, and how to open it; `ids` are the OBS_ID by did, `archive` who delivers it."""
    collections = dict.fromkeys(o.collection.title for o in observations)
    noun = "observation" if len(observations) == 1 else "observations"
    content = f"{len(observations)} {noun} of {', '.join(collections)}, delivered by {archive}."
    text = _README.format(title="Gamma-ray event lists and response functions", content=fill(content, 100))
    renamed = [(ids[o.did], o.did) for o in observations if str(ids[o.did]) != o.obs_id]
    if renamed:
        text += _RENUMBERED + "".join(f"    {number}: {did}\n" for number, did in renamed)
    return text


def licence(collections: Iterable[Collection]) -> str:
    """Licence, terms and attribution of each collection, as its publisher states them."""
    return "\n\n".join(map(_licence, collections)) + "\n"


def _licence(collection: Collection) -> str:
    lines = {
        "Licence": " ".join(filter(None, (collection.licence, collection.licence_url))),
        "Terms of use": collection.terms,
        "Attribution": collection.attribution,
        "Creators": ", ".join(collection.creators),
        "Reference": " ".join(filter(None, (collection.reference, collection.reference_url))),
        "Contact": collection.contact,
    }
    told = [f"{name}: {value}" for name, value in lines.items() if value]
    stated = told or ["The publisher of these data states no licence."]
    return "\n\n".join([collection.title, *(fill(line, 100) for line in stated)])


def checksums(members: Iterable[Member]) -> str:
    """Lines as `sha256sum` reads them."""
    return "".join(f"{member.checksum}  {member.name}\n" for member in members)
