"""What listens to a run: Prometheus, and the callbacks of plugins."""

from server_app.callbacks.callback import Callback, Callbacks, Event, Run, make_callback

__all__ = ["Callback", "Callbacks", "Event", "Run", "make_callback"]
