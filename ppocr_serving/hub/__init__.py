"""Adaptation to PaddleHub, which no other part of this package depends on.

`startup` hooks into the import of PaddleHub, `placeholders` stands in for packages that PaddleHub imports but OCR never
calls, and `patches` lists the functions of PaddleHub that are replaced.
"""
