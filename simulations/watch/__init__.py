"""`fedmvp watch`: a local page that follows runs while they go."""
