"""One life for every resource type, one file a service; a new file needs no entry anywhere."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from provider_cases.case import Case

CASES: dict[str, Case] = {
    case.key: case
    for info in pkgutil.iter_modules(__path__)
    if info.name != "case"
    for case in import_module(f"{__name__}.{info.name}").CASES
}
"""Every case, by its key."""
