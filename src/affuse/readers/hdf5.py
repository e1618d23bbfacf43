"""HDF5 files that a stranger may have made.

They can point anywhere: to other files, to raw bytes in any of them, and to far more data than the
file has. Only what lies in the file itself is read, and no more than an honest one unfolds to.
"""

from __future__ import annotations

import math
from typing import Any

from affuse.optional import require

_SMALL = 1 << 24


def own_member(parent: Any, name: str, kind: type) -> Any:
    """The member of a group or file, if it is of this kind and lies in this file; else None."""
    h5py = require("h5py", extra="csd")
    link = parent.get(name, getlink=True) if name in parent else None
    member = parent[name] if isinstance(link, h5py.HardLink) else None
    return member if isinstance(member, kind) else None


def require_within(data: Any, unfolding: int) -> None:
    """Raise `ValueError` where a dataset lies elsewhere, or is so many times what is stored."""
    if data.is_virtual or data.external:
        raise ValueError("refers to data outside the file")
    # A chunk is unfolded as a whole, however little of it is used.
    size = max(data.nbytes, math.prod(data.chunks or ()) * data.dtype.itemsize)
    if size > max(_SMALL, unfolding * data.id.get_storage_size()):
        raise ValueError(f"unfolds to {size} bytes, many times what is stored")
