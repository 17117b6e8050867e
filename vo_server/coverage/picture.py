"""A picture of the sky that a collection covers: what it is made of. It is drawn as previews are."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Final

VERSION: Final = 1
"""To be raised when pictures look different from then on."""


@dataclass(frozen=True)
class SkyPicture:
    """What is drawn: the title, the ASCII MOC of the sky covered and the share of the sky that it is."""

    title: str
    s_moc: str
    sky_fraction: float
    form: str = "png"

    @property
    def key(self) -> str:
        """Differs wherever the picture does."""
        return hashlib.sha256(json.dumps([VERSION, "coverage", asdict(self)]).encode()).hexdigest()

    @property
    def subject(self) -> str:
        """What is shown, for messages."""
        return self.title
