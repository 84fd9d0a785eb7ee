"""axe-core, which looks for what keeps people from using a page."""

from importlib.resources import files
from typing import TYPE_CHECKING, Any

from tests.servers.unavailable import skip_or_fail

if TYPE_CHECKING:
    from playwright.sync_api import Page

#: The PyPI package that carries axe-core's script. Nothing else of it is used.
_PACKAGE = "axe_playwright_python"

#: What Django's own templates do. Each rule is left out for these elements alone.
_OF_DJANGO = {
    # The field has a label, which holds a picture, and is described by the help text.
    "label-title-only": "#searchbar",
}


def axe_script() -> str:
    """Return axe-core's script; skip or fail the test where there is none."""
    try:
        return (files(_PACKAGE) / "axe.min.js").read_text("utf-8")
    except ModuleNotFoundError:
        skip_or_fail("axe-playwright-python, which carries axe-core, is not installed.")


def faults_on(page: "Page", script: str) -> list[str]:
    """Return what axe finds on a page, by rule and element."""
    page.evaluate(script)
    found: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert found["passes"], "axe looked at nothing"
    return [
        f"{rule['id']}: {node['target']} {node['html'][:120]}"
        for rule in found["violations"]
        for node in rule["nodes"]
        if node["target"] != [_OF_DJANGO.get(rule["id"])]
    ]
