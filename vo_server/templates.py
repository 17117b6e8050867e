"""What all pages for people are made with: the templates among the resources, whole pages, links."""

from html import escape
from importlib.resources import files
from string import Template


def template(name: str) -> Template:
    """A template among the resources."""
    return Template(files("resources").joinpath("html", name).read_text(encoding="utf-8"))


def page(title: str, body: str) -> str:
    """A whole page, well-formed XML if `body` is."""
    return template("page.html").substitute(title=escape(title), body=body)


def anchor(address: str, text: str) -> str:
    """A link to an address, with text that is HTML already; addresses that could run something are text."""
    if not address.startswith(("http://", "https://")):
        return text
    return f'<a href="{escape(address)}">{text}</a>'
