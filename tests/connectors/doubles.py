"""Stand-ins for drivers of warehouses that cannot be run here: what they are told is kept, Arrow comes out."""

import sys
from types import ModuleType, SimpleNamespace

import pyarrow as pa


class Said(list):
    """What a driver was told, in order; `said.of("execute")` gives the arguments of those calls."""

    def of(self, call):
        return [given for name, given in self if name == call]

    def hears(self, name, answer=None):
        """A function that keeps what it is called with."""

        def called(*args, **kwargs):
            self.append((name, (*args, kwargs) if kwargs else args))
            return answer(*args, **kwargs) if callable(answer) else answer

        return called


def installed(monkeypatch, name, **contents):
    """A module of this name, and those around it, to be imported from now on."""
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        full = ".".join(parts[:count])
        module = sys.modules.get(full) or ModuleType(full)
        monkeypatch.setitem(sys.modules, full, module)
        if count > 1:
            monkeypatch.setattr(sys.modules[".".join(parts[: count - 1])], parts[count - 1], module, raising=False)
    for key, value in contents.items():
        monkeypatch.setattr(module, key, value, raising=False)
    return module


def table(**columns):
    return pa.table(columns)


def column(name, **more):
    return SimpleNamespace(name=name, **more)
