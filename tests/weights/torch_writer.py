"""Writes what ``torch.save`` writes, without PyTorch: from the description of its formats."""

import collections
import io
import pickle
import struct
import sys
import types
import zipfile

import numpy as np

KINDS = {
    "float64": "DoubleStorage",
    "float32": "FloatStorage",
    "float16": "HalfStorage",
    "int64": "LongStorage",
    "uint8": "ByteStorage",
    "bool": "BoolStorage",
}


def _module(name, *functions):
    module = types.ModuleType(name)
    for function in functions:
        made = type(function, (), {"__module__": name, "__qualname__": function})
        setattr(module, function, made)
    return module


MODULES = {
    "torch": _module("torch", "BFloat16Storage", *KINDS.values()),
    "torch._utils": _module("torch._utils", "_rebuild_tensor_v2", "_rebuild_parameter"),
}


class Storage:
    """The elements of a tensor; several tensors may share one."""

    def __init__(self, array, kind=None):
        self.data = array.tobytes()
        self.kind = getattr(MODULES["torch"], kind or KINDS[array.dtype.name])
        self.count = array.size


class Tensor:
    """A tensor, by default one that is its whole storage."""

    def __init__(self, array, storage=None, start=0, strides=None):
        array = np.asarray(array)
        self.storage = storage or Storage(array)
        self.start, self.shape = start, array.shape
        steps = np.empty(array.shape, "i1").strides
        self.strides = steps if strides is None else strides

    def __reduce__(self):
        rebuild = MODULES["torch._utils"]._rebuild_tensor_v2
        hooks = collections.OrderedDict()
        return rebuild, (self.storage, self.start, self.shape, self.strides, False, hooks)


class Parameter(Tensor):
    """What a network's parameters are saved as outside a state dict."""

    def __reduce__(self):
        rebuild = MODULES["torch._utils"]._rebuild_parameter
        tensor = Tensor(np.empty(self.shape), self.storage, self.start, self.strides)
        return rebuild, (tensor, True, collections.OrderedDict())


class _Pickler(pickle.Pickler):
    def __init__(self, file, older):
        super().__init__(file, protocol=2)
        self.older = older
        self.keys = {}

    def persistent_id(self, value):
        if not isinstance(value, Storage):
            return None
        key = self.keys.setdefault(value, str(len(self.keys)))
        return ("storage", value.kind, key, "cpu", value.count, *([None] if self.older else []))


def torch_bytes(value, older=False):
    """Return the content of the file, by default in the format since PyTorch 1.6."""
    buffer = io.BytesIO()
    pickler = _Pickler(buffer, older)
    before = {name: sys.modules.get(name) for name in MODULES}
    sys.modules.update(MODULES)
    try:
        pickler.dump(value)
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
    storages = {key: storage for storage, key in pickler.keys.items()}
    if older:
        computer = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}}
        parts = [pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, computer)]
        parts += [buffer.getvalue(), pickle.dumps(sorted(storages), 2)]
        for _, storage in sorted(storages.items()):
            parts += [struct.pack("<q", storage.count), storage.data]
        return b"".join(parts)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("archive/data.pkl", buffer.getvalue())
        archive.writestr("archive/byteorder", "little")
        for key, storage in storages.items():
            archive.writestr(f"archive/data/{key}", storage.data)
        archive.writestr("archive/version", "3\n")
    return content.getvalue()
