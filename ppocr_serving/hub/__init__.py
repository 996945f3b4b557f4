"""Everything that adapts to PaddleHub, so that no other part of this package knows about it.

`startup` notices that PaddleHub is being imported, `placeholders` stands in for what PaddleHub imports and optical
character recognition never calls, and `patches` holds each function of PaddleHub that is replaced.
"""
