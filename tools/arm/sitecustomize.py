"""Let what an emulated Python starts as `sys.executable` be the emulator's wrapper, python.sh."""

import os
import sys

sys.executable = os.environ.get("LINNET_ARM_PYTHON", sys.executable)
