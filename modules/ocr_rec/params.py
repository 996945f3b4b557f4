"""Defaults of this module. The environment (`PPOCR_*`) and `init_args` override them.

Any other setting can be added by its name, for example the folder of a model of the user.
"""

PARAMS = {
    "use_space_char": True,
}
