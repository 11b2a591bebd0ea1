"""How a person here would call the programs: as short as it gets from the working directory."""

import os
import sys
from pathlib import Path

_HERE = os.path.relpath(sys.executable) if sys.executable.startswith(str(Path.cwd())) else sys.executable

PYTHON = _HERE
PACKHOUSE = f"{Path(_HERE).parent}/packhouse"
CONDA_REPO = f"{Path(_HERE).parent}/conda-repo"
