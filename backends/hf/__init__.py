"""What stands behind `gpt2`: many chats on one PyTorch model. A folder, so that it is no backend itself."""
