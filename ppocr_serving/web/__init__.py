"""HTTP: requests in, answers and errors out. What is read, and how, is the reader's business."""
