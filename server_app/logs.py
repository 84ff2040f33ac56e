"""The server's log, below Flower's own logger, since `flwr run --stream` shows no other."""

import logging

logger = logging.getLogger("flwr.fedmvp")
