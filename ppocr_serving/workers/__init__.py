"""Processes that read pictures, apart from the process that talks to clients.

The server's process starts them, hands them requests with their bodies, and replaces those that die, that take too much
memory or that overstay a deadline. No client's connection ends with them.
"""
