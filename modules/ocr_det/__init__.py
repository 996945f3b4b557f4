"""PaddleHub module ocr_det."""
