"""For authors of plugins: what is installed, a package to begin with, and a contract test."""
