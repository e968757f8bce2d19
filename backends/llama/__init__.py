"""What stands behind `llamacpp`: llama.cpp's own C interface. A folder, so that it is no backend itself."""
