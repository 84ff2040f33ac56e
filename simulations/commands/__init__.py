"""The commands of `fedmvp`: their options. What a command does stands in the other packages."""
