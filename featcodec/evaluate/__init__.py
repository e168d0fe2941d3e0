"""Rate, distortion, accuracy and speed of codecs on dumps: what `featcodec eval` does."""
