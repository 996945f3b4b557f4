"""Answers in the forms of other services, for their clients. Each module imports only what its answers take."""
