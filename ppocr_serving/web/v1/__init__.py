"""The native API: `/v1/read`, `/v1/render` and `/v1/capabilities`.

`refusals` is all that the server's process imports; the rest runs in the worker processes.
"""
