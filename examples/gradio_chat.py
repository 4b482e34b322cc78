"""A chat page by Gradio in front of `empgan-rt serve`, which shows what the model heard.

    pip install gradio openai
    empgan-rt serve &
    python examples/gradio_chat.py

If the server is elsewhere, give its address as the first argument.
"""

import os
import sys
from collections.abc import Iterator

import gradio
from openai import OpenAI, OpenAIError

url = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000/v1"
# A server that was started with --api-key-file wants one of its keys; others take anything.
client = OpenAI(base_url=url, api_key=os.environ.get("EMPGAN_API_KEY", "none"), max_retries=5)
model = client.models.list().data[0].id


def answer(text: str, history: list[dict]) -> Iterator[tuple[str, str]]:
    """Yields the reply as far as it has come, and the emotion that the model heard in the text."""
    # Gradio adds fields of its own to each message, which the server ignores.
    messages = [*history, {"role": "user", "content": text}]
    reply, heard = "", ""
    try:
        for chunk in client.chat.completions.create(model=model, messages=messages, stream=True):
            reply += chunk.choices[0].delta.content or ""
            # One of the last chunks holds what OpenAI's protocol has no place for.
            if known := getattr(chunk, "empgan", None):
                heard = known["emotions"][-1]["label"]
            yield reply, heard
    except OpenAIError as error:
        raise gradio.Error(f"The server did not answer: {error}") from error


with gradio.Blocks(title="empgan-rt") as page:
    emotion = gradio.Textbox(label="What the model heard in your last message", render=False)
    gradio.ChatInterface(answer, additional_outputs=[emotion])
    emotion.render()

if __name__ == "__main__":
    port = int(sys.argv[2]) if len(sys.argv) > 2 else 7860
    page.launch(server_name="127.0.0.1", server_port=port)
