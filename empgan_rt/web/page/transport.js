/**
 * Replies from the server that the page came from, by its own protocol.
 *
 * In a folder that `empgan-rt web` wrote, another file of this name answers in the browser.
 */

import { events } from "./events.js";

/** The server wants another key, or any. */
export class KeyError extends Error {}

/**
 * Return what answers.
 *
 * @param {(text: string, share: ?number) => void} onProgress told what is waited for
 * @param {string} key for the server; empty for none
 */
export async function open(onProgress, key = "") {
  onProgress("Asking the server", null);
  const headers = key ? { authorization: `Bearer ${key}` } : {};
  const { data } = await (await asked("v1/models", { headers })).json();
  return {
    models: data.map(model => model.id),
    where: `What you say goes to the server of this page, ${location.host}, and to nobody else from here.`,
    facts: `Model ${data[0].id} (${data[0].bundle_id}), licence ${data[0].licence}.`,
    reply: (turns, { model, onText, signal }) => reply({ turns, model }, headers, onText, signal),
  };
}

/** Return the whole reply; `onText` is told what there is of it so far. */
async function reply(question, headers, onText, signal) {
  const response = await asked("v1/reply", {
    method: "POST",
    headers: { ...headers, "content-type": "application/json" },
    body: JSON.stringify({ ...question, stream: true }),
    signal,
  });
  let text = "";
  for await (const event of events(response.body)) {
    if (event.error) throw new Error(event.error.message);
    if (event.reply) return event.reply;
    onText((text += event.text));
  }
  throw new Error("The server broke off.");
}

async function asked(path, options) {
  const response = await fetch(path, options).catch(error => {
    if (error.name === "AbortError") throw error;
    throw new Error("The server cannot be reached.");
  });
  if (response.ok) return response;
  const told = await response.json().catch(() => ({}));
  const message = told.error?.message ?? `The server answered ${response.status}.`;
  throw new (response.status === 401 ? KeyError : Error)(message);
}
