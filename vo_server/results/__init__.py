"""Rows to bytes: the one register of result formats. Every writer works in constant memory."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from moc.forms import FORMS as MOC_FORMS
from vo_server.errors import UsageError
from vo_server.results import columnar, fitstable, jsontable, mocs, plain, text, votable, webpage
from vo_server.results.result import Result

Writer = Callable[[Result], Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class Format:
    """A format of results.

    The first of `media_types` is the Content-Type when the format is asked for by one of its short
    `names`, with the `charset` if one is given. `ivo_id` is what TAPRegExt calls it. `extension` ends the
    names of files. `inline` formats are shown by clients and not saved, `compressed` ones get no content
    coding.
    """

    media_types: tuple[str, ...]
    names: tuple[str, ...]
    extension: str
    write: Writer
    ivo_id: str | None = None
    charset: str | None = None
    inline: bool = False
    compressed: bool = False

    @property
    def content_type(self) -> str:
        """The Content-Type when the request leaves it open."""
        return self.media_types[0] + (f";charset={self.charset}" if self.charset else "")


_OUTPUT = "ivo://ivoa.net/std/TAPRegExt#output-"

_VOTABLE = "application/x-votable+xml"


def _moc_format(kind: str, form: str) -> Format:
    """What a result covers; FITS goes by the bare name of the kind."""
    names = (kind, f"{kind}-{form}") if form == "fits" else (f"{kind}-{form}",)
    media_type = f"{MOC_FORMS[form].media_type};serialization={kind}"
    return Format((media_type,), names, form, partial(mocs.write_moc, kind=kind, form=form))


FORMATS: tuple[Format, ...] = (
    Format(
        (_VOTABLE, f"{_VOTABLE};serialization=BINARY2"),
        ("votable", "votable/b2"),
        "vot",
        votable.write_binary2,
        _OUTPUT + "votable-binary2",
        inline=True,
    ),
    Format(
        (f"{_VOTABLE};serialization=TABLEDATA", "text/xml", "application/xml"),
        ("votable/td",),
        "vot",
        votable.write_tabledata,
        _OUTPUT + "votable-td",
        inline=True,
    ),
    Format(
        (f"{_VOTABLE};serialization=BINARY",),
        ("votable/b",),
        "vot",
        votable.write_binary,
        _OUTPUT + "votable-binary",
        inline=True,
    ),
    Format(("text/csv;header=present", "text/csv"), ("csv",), "csv", text.write_csv, charset="utf-8"),
    Format(("text/csv;header=absent",), (), "csv", partial(text.write_csv, header=False)),
    Format(("text/tab-separated-values",), ("tsv",), "tsv", text.write_tsv, charset="utf-8"),
    Format(("application/fits",), ("fits",), "fits", fitstable.write_fits),
    Format(
        ("application/vnd.apache.parquet", "application/x-parquet"),
        ("parquet",),
        "parquet",
        columnar.write_parquet,
        compressed=True,
    ),
    Format(("application/vnd.apache.arrow.stream",), ("arrow",), "arrows", columnar.write_arrow),
    Format(("application/json",), ("json",), "json", jsontable.write_json, inline=True),
    Format(("text/html",), ("html",), "html", webpage.write_html, charset="utf-8", inline=True),
    Format(("text/plain",), ("text", "txt"), "txt", plain.write_plain, charset="utf-8", inline=True),
    *(_moc_format(kind, form) for kind in mocs.COLLECTED for form in MOC_FORMS),
)

DEFAULT = FORMATS[0]

_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(\s*;\s*[\w.-]+=[\w.+-]+)*", re.ASCII)
_MediaType = tuple[str, frozenset[tuple[str, str]]]


def find_format(requested: str) -> tuple[Format, str]:
    """The format that `requested` names, and the Content-Type of an answer in it.

    A media type comes back as it was sent (DALI 1.1, section 3.4.3), completed by `header=present`
    and the charset where it is a bare type. Parameters that select no format, as charset, are not looked
    at.
    Raises UsageError for a format that is not offered.
    """
    # A `+` that was not percent-encoded arrives as a blank.
    wanted = requested.strip().replace("x-votable xml", "x-votable+xml")
    by_name = {name: f for f in FORMATS for name in f.names}
    if wanted.lower() in by_name:
        found = by_name[wanted.lower()]
        return found, found.content_type
    by_type = {_parsed(m): f for f in FORMATS for m in f.media_types}
    if _MEDIA_TYPE.fullmatch(wanted) and _parsed(wanted) in by_type:
        found = by_type[_parsed(wanted)]
        return found, _completed(wanted, found.content_type)
    offered = ", ".join(name for f in FORMATS for name in (*f.names, *f.media_types))
    raise UsageError(f"RESPONSEFORMAT={requested!r} is not offered; known are {offered}")


def _parsed(media_type: str) -> _MediaType:
    kind, *parameters = (part.strip().lower() for part in media_type.split(";"))
    pairs = (tuple(p.split("=", 1)) for p in parameters)
    return kind, frozenset((p[0], p[1]) for p in pairs if p[0] in {"serialization", "header"})


def _completed(requested: str, canonical: str) -> str:
    is_bare = requested.lower() == canonical.partition(";")[0]
    return canonical if is_bare else requested
