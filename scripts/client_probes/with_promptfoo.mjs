// promptfoo, by its command.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LONG, expect, given, patience, same, tell } from "./probe.mjs";

const home = mkdtempSync(join(tmpdir(), "promptfoo-"));
const quiet = {
  PROMPTFOO_CONFIG_DIR: home,
  PROMPTFOO_DISABLE_TELEMETRY: "1",
  PROMPTFOO_DISABLE_UPDATE: "1",
  PROMPTFOO_DISABLE_REMOTE_GENERATION: "1",
};

// What came of asking one provider `times` times at once.
function evaluated(id, config, times = 1) {
  const settings = join(home, "settings.json"), out = join(home, "out.json");
  const provider = { id, config: { apiBaseUrl: `${given.url}/v1`, apiKey: given.key, ...config } };
  const tests = Array.from({ length: times }, () => ({ vars: { said: given.said } }));
  writeFileSync(settings, JSON.stringify({ prompts: ["{{said}}"], providers: [provider], tests }));
  const options = ["eval", "-c", settings, "-o", out, "--no-cache", "--no-progress-bar", "--no-table", "--no-write"];
  const done = spawnSync("node_modules/.bin/promptfoo", [...options, "-j", `${times}`], {
    env: { ...process.env, ...quiet },
    encoding: "utf-8",
  });
  if (done.error) throw done.error;
  return JSON.parse(readFileSync(out, "utf-8")).results.results;
}

function refusal(id, config, status) {
  const [{ error }] = evaluated(id, config);
  expect(error.includes(`${status}`), true);
  return `${status}`;
}

await tell({
  chat: () => same(evaluated(`openai:chat:${given.model}`)[0].response.output),

  response: () => same(evaluated(`openai:responses:${given.model}`)[0].response.output),

  retries: () => {
    const busy = { apiBaseUrl: `${given.busy_url}/v1`, max_tokens: LONG.max_tokens, passthrough: { ignore_eos: true } };
    let answers;
    return patience((_, place) => {
      answers ??= evaluated(`openai:chat:${given.busy_model}`, busy, 48);
      return answers[place].response?.output;
    });
  },

  errors: () => {
    const told = [
      refusal(`openai:chat:${given.model}`, { passthrough: { logprobs: true } }, 400),
      refusal(`openai:chat:${given.model}`, { apiKey: "another-key" }, 401),
      refusal("openai:chat:gpt-5", {}, 404),
    ];
    return `says ${told.join(", ")}`;
  },
});
