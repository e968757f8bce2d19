"""The parts of the chat page: messages, input, the growing reply, what stands above and beside them."""
