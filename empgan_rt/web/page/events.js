/** Yield the JSON of each server-sent event of a stream of bytes. */
export async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const parts = (rest + value).split("\n\n");
      rest = parts.pop();
      for (const part of parts) {
        const data = part.replace(/^data: ?/gm, "");
        if (part.startsWith("data:") && data !== "[DONE]") yield JSON.parse(data);
      }
    }
  } finally {
    await reader.cancel();
  }
}
