"""Streamlit's search for components among all installed packages, made once in a process and not for every page."""

from functools import cache

from streamlit.components.v2 import manifest_scanner


def remember(now: bool = False) -> None:
    """Keep what the first search finds, or one made `now`: each reads the metadata of some 280 packages."""
    manifest_scanner.scan_component_manifests = cache(manifest_scanner.scan_component_manifests)
    if now:
        manifest_scanner.scan_component_manifests()
