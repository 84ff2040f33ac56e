"""The science: frozen CLIP, prompting modules, objectives, methods, data and metrics."""
