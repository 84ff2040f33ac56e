"""Secure aggregation: whole federations whose server learns means alone."""
