"""`python -m capsend_mypy.summarise`: makes the summaries for `bare` in a separate process, as mypy has global state."""

from __future__ import annotations

import json
import pickle
import sys

from mypy import build
from mypy.errors import CompileError
from mypy.modulefinder import BuildSource
from mypy.options import Options

from capsend_mypy import names, summary
from capsend_mypy.cache import Summaries


def main() -> int:
    """Check the modules named on standard input, and print their summaries."""
    changes, paths = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the plugin that started this process
    options = Options().apply_changes(changes)
    # Without the cache, which has no bodies of these modules, and without workers, in which `forced` would not be set.
    options.incremental, options.num_workers = False, 0
    Summaries.forced = True
    sources = [BuildSource(path, module, followed=names.is_installed(path)) for module, path in paths.items()]
    try:
        result = build.build(sources, options)
    except CompileError:
        return 1
    texts = {module: summary.attached(file) for module, file in result.files.items() if module in paths}
    sys.stdout.write(json.dumps({module: text for module, text in texts.items() if text is not None}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
