"""PaddleHub module ocr_rec."""
