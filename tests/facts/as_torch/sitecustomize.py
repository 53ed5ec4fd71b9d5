"""On the path of a child process, this makes `import torch` there mean the reference engine."""

import reference_engine

_installed = reference_engine.installed_as_torch()
_installed.__enter__()
