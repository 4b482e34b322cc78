"""One reply by LiteLLM, with what to do when the server is too busy or the request is wrong.

    pip install litellm
    empgan-rt serve &
    python examples/litellm_chat.py

If the server is elsewhere, give its address as the first argument.
"""

import os
import sys

# LiteLLM fetches a table of prices when it is imported; this keeps it from calling anybody.
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

import litellm

litellm.suppress_debug_info = True  # else it prints where to ask for help at each error

url = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000/v1"
name = sys.argv[2] if len(sys.argv) > 2 else "default"
place = {
    "api_base": url,
    # A server that was started with --api-key-file wants one of its keys; others take anything.
    "api_key": os.environ.get("EMPGAN_API_KEY", "none"),
    # "openai/" tells LiteLLM how to talk; what follows is the name of the model on the server.
    "model": f"openai/{name}",
    # A server whose queue is full answers 429, and LiteLLM asks again.
    "max_retries": 5,
}

messages = [{"role": "user", "content": "My best friend moved away today."}]
answer = litellm.completion(messages=messages, **place)
print("reply:", answer.choices[0].message.content)
print("tokens:", answer.usage.total_tokens)

print("in pieces:", end=" ")
for chunk in litellm.completion(messages=messages, stream=True, **place):
    print(chunk.choices[0].delta.content or "", end="", flush=True)
print()

# What the model cannot do is refused, and the error says which field asked for it.
try:
    litellm.completion(messages=messages, logprobs=True, **place)
except litellm.BadRequestError as error:
    print("refused:", str(error).splitlines()[0])
