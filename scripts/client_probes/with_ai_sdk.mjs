// The AI SDK, by its provider for compatible servers and, for responses, by that for OpenAI.
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, streamText } from "ai";
import { AT_ONCE, LONG, PATIENCE, asked, given, patience, raised, same, tell } from "./probe.mjs";

const provider = (more) =>
  createOpenAICompatible({ name: "empgan", baseURL: `${given.url}/v1`, apiKey: given.key, ...more });
const openai = createOpenAI({ baseURL: `${given.url}/v1`, apiKey: given.key });
const wanted = { model: provider().chatModel(given.model), system: "Be kind.", prompt: given.said };

async function inPieces(asked) {
  let text = "";
  for await (const piece of streamText(asked).textStream) text += piece;
  return same(text);
}

await tell({
  chat: async () => same((await generateText(wanted)).text),

  chat_stream: () => inPieces(wanted),

  response: async () => same((await generateText({ ...wanted, model: openai(given.model) })).text),

  response_stream: () => inPieces({ ...wanted, model: openai(given.model) }),

  retries: () => {
    const busy = provider({ baseURL: `${given.busy_url}/v1`, transformRequestBody: (body) => ({ ...body, ...LONG }) });
    const model = busy.chatModel(given.busy_model);
    return patience(async () => (await generateText({ ...wanted, model, maxRetries: PATIENCE })).text);
  },

  errors: async () => {
    const logprobs = provider({ transformRequestBody: (body) => ({ ...body, logprobs: true }) });
    const tried = [
      [logprobs.chatModel(given.model), 400],
      [provider({ apiKey: "another-key" }).chatModel(given.model), 401],
      [provider().chatModel("gpt-5"), 404],
    ];
    const told = [];
    for (const [model, status] of tried) told.push(await raised(() => generateText({ ...wanted, model }), status));
    return told.join(", ");
  },

  // It knows nothing of `x-should-retry`.
  deadline: () => asked(3, () => generateText({ ...wanted, headers: AT_ONCE })),

  timeout: () =>
    raised(() => generateText({ ...wanted, maxRetries: 0, abortSignal: AbortSignal.timeout(1) })),
});
