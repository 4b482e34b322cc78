// Talks with `empgan-rt serve` by OpenAI's own client of JavaScript.
//
//     npm install openai
//     empgan-rt serve &
//     node examples/openai_client.mjs
//
// If the server is elsewhere, give its address as the first argument.
import OpenAI from "openai";

const baseURL = process.argv[2] ?? "http://127.0.0.1:8000/v1";
// A server that was started with --api-key-file wants one of its keys; others take anything.
const client = new OpenAI({ baseURL, apiKey: process.env.EMPGAN_API_KEY ?? "none" });
// The server knows its models by name; the first one is its default.
const model = (await client.models.list()).data[0].id;

// The server remembers nothing between these calls: the whole dialogue goes along each time.
const messages = [{ role: "user", content: "I lost my keys today." }];
const answer = await client.chat.completions.create({ model, messages, n: 2 });
const [best, other] = answer.choices;
console.log("reply:", best.message.content);
console.log("another:", other.message.content);
// What OpenAI's protocol has no place for is in the field `empgan`.
console.log("heard:", answer.empgan.emotions.at(-1).label);

// A turn whose emotion you know may say so: `emotion` is a field of ours.
messages.push(
  { role: "assistant", content: best.message.content },
  { role: "user", content: "They were in my coat all along!", emotion: "surprise" },
);
process.stdout.write("in pieces: ");
for await (const chunk of await client.chat.completions.create({ model, messages, stream: true })) {
  process.stdout.write(chunk.choices[0].delta.content ?? "");
}
process.stdout.write("\n");

// The newer protocol does the same with other words.
const response = await client.responses.create({ model, input: "I passed my exam!" });
console.log("response:", response.output_text);
