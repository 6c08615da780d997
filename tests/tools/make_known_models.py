"""Makes the shipped table of known models from the templates package on PyPI.

    python -m tests.tools.make_known_models          # from the top of the repository

It stands with the tests because it needs their dependency (comfyui-workflow-templates-json) and because a
test keeps its product fresh; users never run it.
"""

from importlib import metadata
from importlib.resources import files
from pathlib import Path

from comfywatchman.hubs.known.known import SHIPPED
from comfywatchman.hubs.known.published import read_templates
from comfywatchman.hubs.known.tables import format_table

PACKAGE = "comfyui-workflow-templates-json"
LICENCE = "Facts from the templates of Comfy-Org, published under the MIT licence"


def make_known_models() -> str:
    """The text of the shipped table, from the installed templates package."""
    folder = Path(str(files(PACKAGE.replace("-", "_")))) / "templates"
    source = f"PyPI {PACKAGE} {metadata.version(PACKAGE)}"
    return format_table(read_templates(folder), source=source, licence=LICENCE)


if __name__ == "__main__":
    SHIPPED.write_text(make_known_models(), encoding="utf-8", newline="\n")
