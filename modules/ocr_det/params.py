"""Defaults of this module. The environment (`PPOCR_*`) and `init_args` override them.

Any other setting can be added by its name, for example the folder of a model of the user.
"""

PARAMS = {
    "det_limit_side_len": 960,
    "det_limit_type": "max",
    "det_db_thresh": 0.3,
    "det_db_box_thresh": 0.5,
    "det_db_unclip_ratio": 1.6,
    "use_dilation": False,
    "det_db_score_mode": "fast",
}
