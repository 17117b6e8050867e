"""Validation against the IVOA's XML schemas, which come from installed packages and never the network."""

import sys
import zipfile
from functools import cache
from pathlib import Path

import astropy.io.votable
from lxml import etree

TTOOLS = Path("/usr/share/java/starlink-ttools.jar")
FOLDER = "uk/ac/starlink/ttools/taplint/"
SCHEMATA = Path(sys.prefix) / "share" / "ivoa-schemata"
"""Those of Debian's package python3-gavo, which resources/install.sh unpacks here."""

VOTABLES = Path(astropy.io.votable.__file__).parent / "data"

FILES = {
    "http://www.ivoa.net/xml/ConeSearch/v1.0": "ConeSearch.xsd",
    "http://www.ivoa.net/xml/SSA/v1.1": "SSA.xsd",
    "http://www.ivoa.net/xml/TAPRegExt/v1.0": "TAPRegExt-v1.0-Erratum1.xsd",
    "http://www.ivoa.net/xml/UWS/v1.0": "UWS-v1.1.xsd",
    "http://www.ivoa.net/xml/VODataService/v1.1": "VODataService-v1.1.xsd",
    "http://www.ivoa.net/xml/VOResource/v1.0": "VOResource-v1.1.xsd",
    "http://www.ivoa.net/xml/VOSIAvailability/v1.0": "VOSIAvailability-v1.0.xsd",
    "http://www.ivoa.net/xml/VOSICapabilities/v1.0": "VOSICapabilities-v1.0.xsd",
    "http://www.ivoa.net/xml/VOSITables/v1.0": "VOSITables-v1.1.xsd",
    "http://www.ivoa.net/xml/STC/stc-v1.30.xsd": "stc-v1.30.xsd",
    "http://www.w3.org/1999/xlink": "xlink.xsd",
    "http://www.w3.org/XML/1998/namespace": "xmlnamespace.xsd",
}
"""Namespace -> schema file in the jar that stilts validates with, or among SCHEMATA."""

REGISTRY_FILES = {
    "http://www.ivoa.net/xml/RegistryInterface/v1.0": "RegistryInterface.xsd",
    "http://www.ivoa.net/xml/VORegistry/v1.0": "VORegistry.xsd",
    "http://www.ivoa.net/xml/VODataService/v1.1": "VODataService.xsd",
    "http://www.ivoa.net/xml/VOResource/v1.0": "VOResource.xsd",
    "http://www.ivoa.net/xml/TAPRegExt/v1.0": "TAPRegExt.xsd",
    "http://www.ivoa.net/xml/ConeSearch/v1.0": "ConeSearch.xsd",
    "http://www.ivoa.net/xml/SSA/v1.1": "SSA.xsd",
    "http://www.openarchives.org/OAI/2.0/": "OAI-PMH.xsd",
    "http://www.openarchives.org/OAI/2.0/oai_dc/": "oai_dc.xsd",
}
"""Namespace -> schema file for what harvesters get; their VODataService is that of the coverage in 1.2."""

OAI_PMH = "http://www.openarchives.org/OAI/2.0/"

LOCATIONS = {
    "http://docs.g-vo.org/schemata/VOResource.xsd": "VOResource-v1.1.xsd",
    "http://vo.ari.uni-heidelberg.de/docs/schemata/VOResource.xsd": "VOResource-v1.1.xsd",
    "http://www.ivoa.net/xml/VOResource/VOResource-v1.0.xsd": "VOResource-v1.1.xsd",
    "http://www.ivoa.net/xml/Xlink/xlink.xsd": "xlink.xsd",
    "http://www.w3.org/2001/xml.xsd": "xmlnamespace.xsd",
    **FILES,
}
"""What the schemas write as schemaLocation -> schema file."""

VOTABLE = "http://www.ivoa.net/xml/VOTable/v1.3"


class _Installed(etree.Resolver):
    def resolve(self, url, public_id, context):  # type: ignore[no-untyped-def] # signature of lxml
        return self.resolve_string(_read(LOCATIONS[url]), context, base_url=url)


@cache
def _read(name: str) -> bytes:
    if (SCHEMATA / name).is_file():
        return (SCHEMATA / name).read_bytes()
    with zipfile.ZipFile(TTOOLS) as jar:
        return jar.read(FOLDER + name)


@cache
def _services() -> etree.XMLSchema:
    """One schema that imports all of `FILES`."""
    imports = "".join(f'<xs:import namespace="{n}" schemaLocation="{n}"/>' for n in FILES)
    parser = etree.XMLParser(no_network=True)
    parser.resolvers.add(_Installed())
    text = f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">{imports}</xs:schema>'
    return etree.XMLSchema(etree.fromstring(text, parser))


class _Unpacked(etree.Resolver):
    """Schemata by the last part of whatever URL they are imported from."""

    def resolve(self, url, public_id, context):  # type: ignore[no-untyped-def] # signature of lxml
        name = REGISTRY_FILES.get(url) or url.rpartition("/")[2]
        return self.resolve_string((SCHEMATA / name).read_bytes(), context, base_url=url)


@cache
def _registry() -> etree.XMLSchema:
    """One schema that imports all of `REGISTRY_FILES`."""
    imports = "".join(f'<xs:import namespace="{n}" schemaLocation="{n}"/>' for n in REGISTRY_FILES)
    parser = etree.XMLParser(no_network=True)
    parser.resolvers.add(_Unpacked())
    text = f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">{imports}</xs:schema>'
    return etree.XMLSchema(etree.fromstring(text, parser))


@cache
def _votable(version: str) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(VOTABLES / f"VOTable.v{version}.xsd"))


def parsed(document: bytes) -> etree._Element:
    """The root of a valid document; fails with the schema's complaints otherwise."""
    root = etree.fromstring(document, etree.XMLParser(no_network=True, huge_tree=True))
    namespace = etree.QName(root).namespace
    if namespace == VOTABLE:
        schema = _votable(root.get("version", "1.3"))
    else:
        schema = _registry() if namespace == OAI_PMH else _services()
    assert schema.validate(root), str(schema.error_log)
    return root
