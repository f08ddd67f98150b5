"""Where the networks run: ONNX Runtime for lifting, torch for training, CUDA and the preset "paper"."""
