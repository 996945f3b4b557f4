"""The contract over HTTP: requests in, answers and errors out. What is read and how is the pipeline's business."""
