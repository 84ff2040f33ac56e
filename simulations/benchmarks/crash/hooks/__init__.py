"""On the import path of the processes that the crash matrix starts, and of no others."""
