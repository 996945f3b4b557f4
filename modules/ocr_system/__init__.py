"""PaddleHub module ocr_system."""
