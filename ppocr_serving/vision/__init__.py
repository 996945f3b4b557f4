"""Pictures to lines of text: the stages and the pipeline that joins them, independent of settings and requests."""
