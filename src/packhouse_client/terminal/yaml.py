"""Documents as YAML in block style, the form in which `conda repo` shows an account or a configuration."""

from io import StringIO
from typing import Any

from ruamel.yaml import YAML


def as_yaml(document: Any) -> str:
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # declared None in ruamel.yaml
    writer.width = 4096  # long values stay on their line, so that a search finds them
    text = StringIO()
    writer.dump(document, text)
    return text.getvalue().rstrip("\n")
