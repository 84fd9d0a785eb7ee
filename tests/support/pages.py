"""The pages of the project, taken apart: headings, tables, code blocks and links."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]

README = ROOT / "README.md"
SECURITY = ROOT / "SECURITY.md"
CONTRIBUTING = ROOT / ".github" / "CONTRIBUTING.md"
LINKS = ROOT / "secure_dbstorage" / "links" / "README.md"
SERVING = ROOT / "secure_dbstorage" / "serving" / "README.md"
CHECKS = ROOT / "secure_dbstorage" / "checks" / "README.md"
UPLOADS = ROOT / "secure_dbstorage" / "receiving" / "README.md"
SEALING = ROOT / "secure_dbstorage" / "sealing" / "README.md"
UPKEEP = ROOT / "secure_dbstorage" / "upkeep" / "README.md"
EXAMPLE = ROOT / "example" / "README.md"
DEPLOY = ROOT / "example" / "deploy" / "README.md"
BENCHMARKS = ROOT / "tests" / "benchmarks" / "README.md"
PACKAGES = ROOT / "tests" / "integrations" / "README.md"

PAGES = (
    *(README, SECURITY, CONTRIBUTING, LINKS, SERVING, UPLOADS, SEALING, UPKEEP, CHECKS),
    *(EXAMPLE, DEPLOY, BENCHMARKS, PACKAGES),
)


def section(page: Path, title: str) -> str:
    """Return the text below a heading of the second level."""
    text = page.read_text().split(f"\n## {title}\n")[1]
    return re.split(r"^## ", text, flags=re.MULTILINE)[0]


def headings(page: Path, level: int = 2) -> list[str]:
    """Return the headings of a level, in order."""
    return re.findall(rf"^{'#' * level} (.+)$", without_code(page), flags=re.MULTILINE)


def anchor(heading: str) -> str:
    """Return what GitHub makes of a heading for links into a page."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def first_cells(text: str) -> list[str]:
    """Return the first cell of each row of the tables in a text, without their heads."""
    cells = re.findall(r"^\| (.*?) \|", text, flags=re.MULTILINE)
    return [cell for cell in cells if cell.startswith("`")]


def blocks(text: str, language: str) -> list[str]:
    """Return the code blocks of a text, without the indentation that a list gives them."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", block, flags=re.MULTILINE) for indent, block in found]


def without_code(page: Path) -> str:
    """Return the text of a page without its code blocks."""
    return re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def targets(page: Path) -> list[str]:
    """Return where the links and the pictures of a page lead."""
    text = without_code(page)
    inline = re.findall(r"\]\(([^)]+)\)", text)
    return inline + re.findall(r"^\[[\w ]+\]: (\S+)$", text, flags=re.MULTILINE)
