"""A chat in the terminal by LangChain, which keeps the dialogue here and not on the server.

    pip install langchain-openai
    empgan-rt serve &
    python examples/langchain_chat.py

An empty line, or Ctrl-D, ends it. If the server is elsewhere, give its address as the first
argument.
"""

import os
import sys

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_openai import ChatOpenAI

url = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000/v1"
chat = ChatOpenAI(
    base_url=url,
    # A server that was started with --api-key-file wants one of its keys; others take anything.
    api_key=os.environ.get("EMPGAN_API_KEY", "none"),
    # Start the server with `--alias gpt-4o-mini=default` if programs insist on such a name.
    model=sys.argv[2] if len(sys.argv) > 2 else "default",
    # Without a temperature the model searches for its best reply; above 0 it draws one.
    temperature=None,
)

dialogue: list[BaseMessage] = []
while True:
    try:
        text = input("you: ").strip()
    except EOFError:
        break
    if not text:
        break
    dialogue.append(HumanMessage(text))
    print("model: ", end="")
    reply = ""
    for piece in chat.stream(dialogue):
        print(piece.text, end="", flush=True)
        reply += piece.text
    print()
    dialogue.append(AIMessage(reply))
