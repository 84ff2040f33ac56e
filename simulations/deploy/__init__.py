"""Deployments: SuperLink and SuperNodes as processes, their certificates and keys, and checks."""
