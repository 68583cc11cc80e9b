"""Writes what MXNet's ``save_parameters`` writes, from the format's description alone."""

import struct

import numpy as np

CODES = {"float32": 0, "float64": 1, "float16": 2, "uint8": 3, "int32": 4, "int8": 5, "int64": 6}


def mxnet_bytes(arrays, version=2):
    parts = [struct.pack("<QQQ", 0x112, 0, len(arrays))]
    for array in arrays.values():
        array = np.asarray(array)
        parts.append(struct.pack("<I", 0xF993FAC7 + version))
        if version == 2:
            parts.append(struct.pack("<i", 0))
        parts.append(struct.pack(f"<I{array.ndim}q", array.ndim, *array.shape))
        parts.append(struct.pack("<iii", 1, 0, CODES[array.dtype.name]))
        parts.append(array.tobytes())
    parts.append(struct.pack("<Q", len(arrays)))
    for name in arrays:
        encoded = name.encode()
        parts += [struct.pack("<Q", len(encoded)), encoded]
    return b"".join(parts)
