"""XML as text, for documents that are streamed, and as trees, for those that are not."""

import re
from collections.abc import Iterable, Mapping
from xml.sax.saxutils import quoteattr

from lxml import etree

_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_PLAIN = re.compile("[ !\"#$%'-;=?-~]*")
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})


def legal(text: str) -> str:
    """`text` with the characters that XML 1.0 (section 2.2) cannot hold replaced by U+FFFD."""
    return _ILLEGAL.sub("\ufffd", text)


def escape(text: str) -> str:
    """`text` as character data. A carriage return is a reference: a parser would turn it into LF."""
    if _PLAIN.fullmatch(text):  # most text is, and this is five times faster
        return text
    return legal(text).translate(_ESCAPES)


def start(tag: str, **attributes: str | None) -> str:
    """A start tag; attributes that are None are left out."""
    return f"<{tag}{_attributes(attributes)}>"


def element(tag: str, content: str = "", **attributes: str | None) -> str:
    """A whole element with escaped character content."""
    if not content:
        return f"<{tag}{_attributes(attributes)}/>"
    return f"<{tag}{_attributes(attributes)}>{escape(content)}</{tag}>"


def _attributes(attributes: dict[str, str | None]) -> str:
    return "".join(f" {name}={quoteattr(legal(v))}" for name, v in attributes.items() if v is not None)


def node(
    tag: str,
    text: str | None = None,
    attributes: Mapping[str, str | None] | None = None,
    children: Iterable[etree._Element] = (),
) -> etree._Element:
    """An element of a tree; attributes that are None are left out."""
    made = etree.Element(tag, {k: legal(v) for k, v in (attributes or {}).items() if v is not None})
    made.text = None if text is None else legal(text)
    made.extend(list(children))
    return made


def optional_nodes(**texts: str | None) -> list[etree._Element]:
    """An element for each text that is there, in the order given."""
    return [node(tag, text) for tag, text in texts.items() if text]


def serialized(root: etree._Element) -> bytes:
    """The document below `root`."""
    document: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    return document
