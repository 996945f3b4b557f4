"""Optical character recognition with PaddleOCR's models, as a library and as an HTTP service.

Importing the package is cheap: engines, OpenCV and Flask load where they are first used.
"""

__version__ = "1.0.0"
