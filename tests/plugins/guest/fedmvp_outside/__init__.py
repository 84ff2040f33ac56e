"""What another package adds to fedmvp, for the test that it can add all that there is."""
