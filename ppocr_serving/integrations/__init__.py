"""What other programs take OCR from: each module is for one of them, and has an extra of its own.

Nothing else imports them, so that their packages need not be installed.
"""
