"""Pictures to lines of text: the stages, and the pipeline that joins them. No stage knows settings or requests."""
