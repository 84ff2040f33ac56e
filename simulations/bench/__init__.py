"""What things cost: each part measured in paired turns, beside a plain baseline of its own."""
