"""What in the source of a module could unpickle a file."""

from __future__ import annotations

import ast

MODULES = {
    *("pickle", "_pickle", "cPickle", "dill", "cloudpickle", "jsonpickle", "joblib", "shelve"),
    *("marshal", "hickle", "klepto", "pandas", "skorch", "sklearn", "profanity_check", "detoxify"),
}
CALLS = {
    *("torch.load", "torch.jit.load", "torch.hub.load", "torch.package.PackageImporter"),
    *("torch.hub.load_state_dict_from_url", "torch.serialization.load", "torch.export.load"),
}


def uses_of_pickle(source: str) -> list[str]:
    """Return what in a module's source could unpickle a file, or imports what does.

    A module that is imported by its name in a call, such as `import_module("joblib")`, counts.
    """
    found = []
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module]
            found += [c for alias in node.names if (c := f"{node.module}.{alias.name}") in CALLS]
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            found += [called] * (called in CALLS or called.endswith("read_pickle"))
            first = node.args[0] if node.args else None
            if "import" in called and isinstance(first, ast.Constant):
                names = [str(first.value)]
            found += [
                "allow_pickle"
                for keyword in node.keywords
                if keyword.arg == "allow_pickle" and ast.unparse(keyword.value) != "False"
            ]
        found += [name for name in names if name.split(".")[0] in MODULES]
    return found
