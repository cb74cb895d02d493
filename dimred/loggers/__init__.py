"""Where the numbers of a run are also written while it trains: CSV, TensorBoard, MLflow, W&B."""
