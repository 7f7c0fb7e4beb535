"""Speak: channels, their messages and the delivery of the outbox. Nothing here decides what to say."""
