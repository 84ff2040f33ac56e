"""What listens to a run: Prometheus, experiment loggers, and the callbacks of plugins."""

from server_app.callbacks.callback import Callback, Callbacks, Event, Run, make_callback

__all__ = ["Callback", "Callbacks", "Event", "Run", "make_callback"]
