"""Defaults of this module. The environment (`PPOCR_*`) and `init_args` override them.

They override the model profile, which states thresholds, shapes and labels, so none of those is repeated here. Any
setting can be added by its name, for example `"det_db_thresh": 0.3` or the folder of a custom model.
"""

PARAMS: dict[str, object] = {}
