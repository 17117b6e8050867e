"""Services that go with a table: RESOURCEs after the results (DataLink 1.1, section 4)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from vo_server.xmlwriter import element, start

SERVICE: Final = "adhoc:service"
THIS: Final = "adhoc:this"
"""The utype of the descriptor of the very service that answers (DataLink 1.1, section 4.3)."""

_NOT_IN_IDS: Final = re.compile(r"[^A-Za-z0-9_.-]")
_BEFORE_ODD_START: Final = re.compile(r"\A(?![A-Za-z_])")


class ServiceParameter(NamedTuple):
    """A parameter of a service.

    It has a constant `value`, or its values are those of the FIELD with the XML ID `ref`, or the user
    gives one: then `minimum` and `maximum`, where there are any, say in which range it makes sense, and
    `options` which values there are.
    """

    name: str
    value: str = ""
    ref: str | None = None
    description: str = ""
    datatype: str = "char"
    arraysize: str | None = "*"
    xtype: str | None = None
    unit: str | None = None
    ucd: str | None = None
    minimum: str | None = None
    maximum: str | None = None
    options: tuple[str, ...] = ()
    utype: str | None = None


@lru_cache(maxsize=1024)
def param(parameter: ServiceParameter) -> str:
    """The PARAM element; remembered, since most are the same in all descriptors of a document."""
    opening = start(
        "PARAM",
        name=parameter.name,
        datatype=parameter.datatype,
        arraysize=parameter.arraysize,
        xtype=parameter.xtype,
        unit=parameter.unit,
        ucd=parameter.ucd,
        utype=parameter.utype,
        ref=parameter.ref,
        value=parameter.value,
    )
    description = element("DESCRIPTION", parameter.description) if parameter.description else ""
    bounds = (("MIN", parameter.minimum), ("MAX", parameter.maximum))
    limits = "".join(element(name, value=value) for name, value in bounds if value is not None)
    limits += "".join(element("OPTION", value=value) for value in parameter.options)
    return f"{opening}{description}{f'<VALUES>{limits}</VALUES>' if limits else ''}</PARAM>"


@dataclass(frozen=True, slots=True)
class ServiceDescriptor:
    """How to call a service. `id` is the XML ID that rows refer to, unique in the document."""

    name: str
    access_url: str
    inputs: Sequence[ServiceParameter]
    description: str = ""
    id: str | None = None
    standard_id: str | None = None
    content_type: str | None = None
    utype: str = SERVICE

    def xml(self) -> str:
        """The RESOURCE element."""
        told = {
            "standardID": self.standard_id,
            "accessURL": self.access_url,
            "contentType": self.content_type,
        }
        lines = [
            start("RESOURCE", type="meta", utype=self.utype, ID=self.id, name=self.name),
            element("DESCRIPTION", self.description) if self.description else "",
            *(param(ServiceParameter(name, value)) for name, value in told.items() if value),
            '<GROUP name="inputParams">',
            *map(param, self.inputs),
            "</GROUP>",
            "</RESOURCE>\n",
        ]
        return "\n".join(filter(None, lines))


class FieldLink(NamedTuple):
    """Where the values of a column lead: a LINK in its FIELD (VOTable 1.4, section 3.5).

    In `href` the value of a column, percent-encoded, stands for ${its XML ID} (appendix A.1). That is what
    Aladin follows, which knows nothing of descriptors; other programs leave it alone.
    """

    title: str
    content_type: str
    href: str

    def xml(self) -> str:
        """The LINK element."""
        return element("LINK", **{"content-type": self.content_type}, title=self.title, href=self.href)


def field_id(name: str) -> str:
    """The XML ID of the FIELD of a column.

    It is the name itself wherever that can be an ID, since astropy calls columns by their IDs.
    """
    return _BEFORE_ODD_START.sub("_", _NOT_IN_IDS.sub("_", name))
