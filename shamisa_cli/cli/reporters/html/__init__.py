"""Results as one web page that needs nothing else: no network, no folder of pictures beside it."""

from shamisa_cli.cli.reporters.html.page import write_html

__all__ = ["write_html"]
