"""Talks with `empgan-rt serve` by OpenAI's own client: a reply, its emotions, a reply in pieces.

    pip install openai
    empgan-rt serve &
    python examples/openai_client.py

If the server is elsewhere, give its address as the first argument.
"""

import os
import sys

from openai import OpenAI

url = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000/v1"
# A server that was started with --api-key-file wants one of its keys; others take anything.
client = OpenAI(base_url=url, api_key=os.environ.get("EMPGAN_API_KEY", "none"))
# The server knows its models by name; the first one is its default.
model = client.models.list().data[0].id

# The server remembers nothing between these calls: the whole dialogue goes along each time.
dialogue = [{"role": "user", "content": "I lost my keys today."}]
answer = client.chat.completions.create(model=model, messages=dialogue, n=2)
best, other = answer.choices
print("reply:", best.message.content)
print("another:", other.message.content)
# What OpenAI's protocol has no place for is in the field `empgan`, which the client keeps.
print("heard:", answer.empgan["emotions"][-1]["label"])

# A turn whose emotion you know may say so: `emotion` is a field of ours.
dialogue += [
    {"role": "assistant", "content": best.message.content},
    {"role": "user", "content": "They were in my coat all along!", "emotion": "surprise"},
]
print("in pieces:", end=" ")
for chunk in client.chat.completions.create(model=model, messages=dialogue, stream=True):
    print(chunk.choices[0].delta.content or "", end="", flush=True)
print()

# The newer protocol does the same with other words.
response = client.responses.create(model=model, input="I passed my exam!")
print("response:", response.output_text)
