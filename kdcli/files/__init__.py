"""Photos and kernels on disk: reading, checking, and writing without ever leaving half a file."""
