"""Secure aggregation without messages: rounding, masks, shares, keys and what they add up to.

SecAgg+ (Bell et al., Secure Single-Server Aggregation with (Poly)Logarithmic Overhead, CCS 2020),
which is SecAgg (Bonawitz et al., Practical Secure Aggregation for Privacy-Preserving Machine
Learning, CCS 2017) where each client shares secrets with its neighbours on a ring alone. What these
modules make is carried from one side to the other by client_app/secure and server_app/secure.
"""
