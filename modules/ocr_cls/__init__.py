"""PaddleHub module ocr_cls."""
