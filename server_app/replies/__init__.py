"""What comes back from clients, checked before it counts."""
