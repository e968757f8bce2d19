"""The namespaces of Office files, Transitional and Strict, by the prefixes that everybody writes. Knows names only."""

from functools import lru_cache
from xml.etree.ElementTree import Element

OLD, STRICT = "http://schemas.openxmlformats.org/", "http://purl.oclc.org/ooxml/"
PREFIXES = {
    f"{OLD}wordprocessingml/2006/main": "w",
    f"{STRICT}wordprocessingml/main": "w",
    f"{OLD}spreadsheetml/2006/main": "s",
    f"{STRICT}spreadsheetml/main": "s",
    f"{OLD}presentationml/2006/main": "p",
    f"{STRICT}presentationml/main": "p",
    f"{OLD}drawingml/2006/main": "a",
    f"{STRICT}drawingml/main": "a",
    f"{OLD}drawingml/2006/diagram": "dgm",
    f"{STRICT}drawingml/diagram": "dgm",
    f"{OLD}drawingml/2006/chart": "c",
    f"{STRICT}drawingml/chart": "c",
    f"{OLD}officeDocument/2006/math": "m",
    f"{STRICT}officeDocument/math": "m",
    f"{OLD}officeDocument/2006/relationships": "r",
    f"{STRICT}officeDocument/relationships": "r",
    f"{OLD}package/2006/relationships": "rel",
    f"{OLD}package/2006/content-types": "ct",
    f"{OLD}markup-compatibility/2006": "mc",
    "http://www.w3.org/XML/1998/namespace": "xml",
}


@lru_cache(10_000)
def shorten(name: str) -> str:
    """`{namespace}name` as `w:name`; without a prefix where the namespace is none of ours, as with none at all."""
    namespace, brace, local = name.rpartition("}")
    prefix = PREFIXES.get(namespace.removeprefix("{"))
    return f"{prefix}:{local}" if brace and prefix else local


def child(element: Element | None, *names: str) -> Element | None:
    """The first child with the first name, of that the first with the second, and so on; None where one is missing."""
    for name in names:
        element = element.find(name) if element is not None else None
    return element
