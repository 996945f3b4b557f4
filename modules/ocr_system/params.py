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
    "use_angle_cls": True,
    "cls_image_shape": (3, 48, 192),
    "label_list": ("0", "180"),
    "cls_thresh": 0.9,
    "use_space_char": True,
    "drop_score": 0.5,
}
