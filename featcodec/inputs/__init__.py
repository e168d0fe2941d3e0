"""Files of tensors by kind: each says what it holds, and reads a tensor when it is touched."""
