"""Run the tests inside a real Blender.

blender -b --factory-startup --python-exit-code 1 --python THIS -- [pytest arguments]
"""

import sys
from pathlib import Path

import pytest

arguments = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
sys.exit(int(pytest.main(arguments or ["-q", "-p", "no:cacheprovider", str(Path(__file__).parent)])))
