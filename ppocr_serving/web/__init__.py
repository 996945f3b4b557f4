"""HTTP: requests in, answers and errors out. Reading pictures is left to the reader."""
