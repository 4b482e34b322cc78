// OpenAI's own client of JavaScript.
import OpenAI from "openai";
import { AT_ONCE, LONG, PATIENCE, asked, expect, given, messages, patience, raised, same, tell } from "./probe.mjs";

const client = new OpenAI({ baseURL: `${given.url}/v1`, apiKey: given.key });
const chatted = { model: given.model, messages };
const answered = { model: given.model, input: given.said, instructions: "Be kind." };
const create = (more, options) => client.chat.completions.create({ ...chatted, ...more }, options);

await tell({
  chat: async () => same((await create()).choices[0].message.content),

  chat_stream: async () => {
    let text = "", usage;
    for await (const chunk of await create({ stream: true, stream_options: { include_usage: true } })) {
      text += chunk.choices[0]?.delta.content ?? "";
      usage = chunk.usage;
    }
    expect(usage.total_tokens > 0, true);
    same(await client.chat.completions.stream(chatted).finalContent());
    return same(text);
  },

  response: async () => {
    const found = await client.responses.create(answered);
    expect(found.status, "completed");
    return same(found.output_text);
  },

  response_stream: async () => {
    let text = "", last;
    for await (const event of await client.responses.create({ ...answered, stream: true })) {
      if (event.type === "response.output_text.delta") text += event.delta;
      last = event.type;
    }
    expect(last, "response.completed");
    same((await client.responses.stream(answered).finalResponse()).output_text);
    return same(text);
  },

  retries: () => {
    const busy = new OpenAI({ baseURL: `${given.busy_url}/v1`, apiKey: given.key, maxRetries: PATIENCE });
    const long = { ...LONG, model: given.busy_model, messages };
    return patience(async () => (await busy.chat.completions.create(long)).choices[0].message.content);
  },

  errors: async () => {
    const stranger = new OpenAI({ baseURL: `${given.url}/v1`, apiKey: "another-key" });
    const told = [
      await raised(() => create({ logprobs: true }), 400),
      await raised(() => stranger.models.list(), 401),
      await raised(() => create({ model: "gpt-5" }), 404),
    ];
    return told.join(", ");
  },

  deadline: () => asked(1, () => create({}, { headers: AT_ONCE })),

  timeout: () => raised(() => create(LONG, { timeout: 1, maxRetries: 0 })),
});
