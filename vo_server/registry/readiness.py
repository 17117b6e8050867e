"""What an operator still has to do before the archive is registered: for the page and for the doctor."""

from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from schema.collection import UNREGISTERED, Collection
from vo_server.settings import Settings, environment_name

_LOCAL: Final = (".local", ".localhost", ".internal", ".test", ".invalid", ".example")


class Want(NamedTuple):
    """Something that is missing, and what would be right."""

    what: str
    advice: str


def wants(settings: Settings, collections: Sequence[Collection]) -> Iterator[Want]:
    """What is missing in the settings, then in the collections."""
    if settings.authority == UNREGISTERED:
        name = environment_name("authority")
        yield Want(
            f"the authority {UNREGISTERED} is nobody's",
            f"choose one, such as the DNS name of your institute, and set {name}",
        )
    if _is_local(settings.url):
        name = environment_name("public_url")
        yield Want(f"harvesters cannot reach {settings.url}", f"set {name} to the URL that the world sees")
    if not settings.publisher:
        yield Want("the publisher has no name", f"set {environment_name('publisher')}")
    if "@" not in settings.contact:
        yield Want(
            "there is no mail address for questions", f"set {environment_name('contact')} to one that is read"
        )
    for collection in collections:
        yield from _of_collection(collection)


def _of_collection(c: Collection) -> Iterator[Want]:
    keys = [
        key
        for key in ("title", "description", "creators", "licence", "reference")
        if not getattr(c, key) or (key == "title" and c.title == c.name)
    ]
    if c.authority == UNREGISTERED:
        yield Want(
            f"collection {c.name} has the authority {UNREGISTERED}",
            "ingest it again when the setting `authority` or its key `authority` is set",
        )
    if keys:
        yield Want(
            f"collection {c.name} does not tell its {', '.join(keys)}",
            f"set the key{'s' if len(keys) > 1 else ''} in its TOML file and ingest it again",
        )


def _is_local(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return not ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith(_LOCAL)
