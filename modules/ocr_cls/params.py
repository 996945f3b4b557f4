"""Defaults of this module. The environment (`PPOCR_*`) and `init_args` override them.

Any other setting can be added by its name, for example the folder of a model of the user.
"""

PARAMS = {
    "cls_image_shape": (3, 48, 192),
    "label_list": ("0", "180"),
    "cls_thresh": 0.9,
}
