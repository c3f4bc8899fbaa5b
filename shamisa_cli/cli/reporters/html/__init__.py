"""Results as a self-contained web page: no network requests and no other files."""

from shamisa_cli.cli.reporters.html.page import write_html

__all__ = ["write_html"]
