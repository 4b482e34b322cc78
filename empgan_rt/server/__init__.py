"""Replies over HTTP: an ASGI application over asynchronous responders, and what runs it."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .application import app
    from .settings import ServerSettings

__all__ = ["ServerSettings", "app"]


def __getattr__(name: str) -> Any:
    """Return what needs the extra `serve`, once it is asked for.

    Raises:
        DependencyError: the extra is not installed.
    """
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ..packages import import_module

    import_module(
        "starlette", "the server's packages are missing", "pip install 'empgan-rt[serve]'"
    )
    from .application import app
    from .settings import ServerSettings

    return {"app": app, "ServerSettings": ServerSettings}[name]
