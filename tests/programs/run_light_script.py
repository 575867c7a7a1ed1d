"""Runs a script, and fails if it has imported a heavy package.

Arguments: the script and its own.
"""

import runpy
import sys

script, *sys.argv[1:] = sys.argv[1:]
runpy.run_path(script, run_name="__main__")
heavy = {"keras", "keras_pixel", "numpy", "tensorflow"} & set(sys.modules)
sys.exit(f"imported: {heavy}" if heavy else 0)
