"""OpenAI's dialect: chat completions, responses, and the list of models."""
