"""What listens to a run: Prometheus, and the callbacks of plugins."""

from server_app.callbacks.callback import Callback, Callbacks, Run

__all__ = ["Callback", "Callbacks", "Run"]
