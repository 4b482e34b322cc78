#!/usr/bin/env bash
# What a server says of asking again is heeded by one client and unknown to another of the same protocol.
#
# One would guess: who speaks OpenAI's protocol heeds its header `x-should-retry: false`.
# What happens with ai 6.0.326 and @ai-sdk/openai-compatible 2.0.92: an answer of 504 with that header is asked for
# three times, as any answer from 500 is; openai 6.49.0 asks once. So a server's deadline costs an AI SDK's
# user three deadlines, unless maxRetries is 0.
# Source: @ai-sdk/provider, APICallError, isRetryable; openai, client.js, shouldRetry.
#
# It needs node and npm. Exit 1: something else was seen.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export HOME="$folder"
echo '{}' >package.json
npm install --silent --no-audit --no-fund --ignore-scripts \
  ai@6.0.326 @ai-sdk/openai-compatible@2.0.92 openai@6.49.0
cat >seen.mjs <<'JAVASCRIPT'
import { createServer } from "node:http";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText } from "ai";
import OpenAI from "openai";

let asked = 0;
const server = createServer((request, response) => {
  asked += 1;
  request.resume().on("end", () => {
    response.writeHead(504, { "content-type": "application/json", "x-should-retry": "false" });
    response.end(JSON.stringify({ error: { message: "late", type: "server_error", param: null, code: "deadline" } }));
  });
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const baseURL = `http://127.0.0.1:${server.address().port}/v1`;

async function attempts(name, ask) {
  asked = 0;
  const error = await ask().then(() => null, (error) => error);
  console.log(`${name}: ${error?.constructor.name} after ${asked} attempts`);
  return asked;
}

const openai = new OpenAI({ baseURL, apiKey: "none" });
const messages = [{ role: "user", content: "hi" }];
const model = createOpenAICompatible({ name: "late", baseURL })("m");
const seen = [
  await attempts("openai", () => openai.chat.completions.create({ model: "m", messages })),
  await attempts("ai", () => generateText({ model, prompt: "hi" })),
  await attempts("ai, maxRetries: 0", () => generateText({ model, prompt: "hi", maxRetries: 0 })),
];
server.close();
process.exitCode = `${seen}` === "1,3,1" ? 0 : 1;
JAVASCRIPT
node seen.mjs
