"""The commands of `fedmvp`: how each is called, beside what it does."""
