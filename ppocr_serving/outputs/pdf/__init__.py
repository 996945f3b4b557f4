"""Searchable PDF: pictures under invisible text, without a library; see ISO 32000-1 for the form."""
