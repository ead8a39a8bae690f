"""The domain: messages, the conversation tree, reply state, prompt and context window. No I/O."""
