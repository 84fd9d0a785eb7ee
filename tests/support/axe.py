"""axe-core, which looks for what keeps people from using a page."""

from importlib.resources import files
from typing import TYPE_CHECKING, Any

from tests.servers.unavailable import skip_or_fail

if TYPE_CHECKING:
    from playwright.sync_api import Page

#: The PyPI package that carries axe-core's script. Nothing else of it is used.
_PACKAGE = "axe_playwright_python"

#: What Django's own templates do, by rule and element. Nothing else is left out.
_OF_DJANGO = {
    # The field has a label, which holds a picture, and is described by the help text.
    "label-title-only": "#searchbar",
    # Until Django 6.0, nothing but their colour tells these links from the text beside them.
    "link-in-text-block": ".breadcrumbs a, #toolbar .quiet a",
}

#: The rows of a long list are like the first ones, and axe takes its time with each.
_MORE_ROWS = "#result_list tbody tr:nth-child(n + 13)"

_RUN = """async ([ofDjango, ofRows]) => {
    // A colour that is on its way from light to dark has little contrast.
    document.getAnimations().forEach(animation => animation.finish());
    const found = await axe.run({ exclude: [ofRows] }, { resultTypes: ["violations"] });
    const isOurs = (rule, node) => {
        const selector = ofDjango[rule.id];
        return !selector || !document.querySelector(node.target[0]).matches(selector);
    };
    const faults = found.violations.flatMap(rule => rule.nodes
        .filter(node => isOurs(rule, node))
        .map(node => `${rule.id}: ${node.target} ${node.html.slice(0, 120)}`));
    return { passes: found.passes.length, faults };
}"""


def axe_script() -> str:
    """Return axe-core's script; skip or fail the test where there is none."""
    try:
        return (files(_PACKAGE) / "axe.min.js").read_text("utf-8")
    except ModuleNotFoundError:
        skip_or_fail("axe-playwright-python, which carries axe-core, is not installed.")


def faults_on(page: "Page", script: str) -> list[str]:
    """Return what axe finds on a page, by rule and element."""
    page.evaluate(script)
    found: dict[str, Any] = page.evaluate(_RUN, [_OF_DJANGO, _MORE_ROWS])
    assert found["passes"], "axe looked at nothing"
    faults: list[str] = found["faults"]
    return faults
