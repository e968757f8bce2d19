"""Text messages by Twilio: its webhook in, the assistant's replies out."""
