/**
 * The engine in a thread of its own, so that the page stays quick.
 *
 * It takes `{id, ask: "load"}`, `{id, ask: "reply", turns, search}` and `{id, ask: "stop"}`, and
 * sends `{id, text}` for what is certain of a reply, then `{id, done}` or `{id, error, name}`.
 */

import * as ort from "../onnxruntime/ort.wasm.min.mjs";
import { Featurizer } from "./featurizer.js";
import { Model } from "./model.js";
import { Responder } from "./responder.js";
import { WordGuard } from "./word_guard.js";

const ROOT = new URL("../", import.meta.url);
const GRAPHS = ["turn_encoder", "context_encoder", "decoder_step"];
const stopped = new Set();
let responder = null;

async function file(path) {
  const response = await fetch(new URL(path, ROOT));
  if (!response.ok) throw new Error(`${path} is not there (${response.status})`);
  return response;
}

const json = async path => (await file(path)).json();
const bytes = async path => new Uint8Array(await (await file(path)).arrayBuffer());

async function load() {
  const [facts, guard, runtime, weights, ...graphs] = await Promise.all([
    json("model/model.json"),
    json("guard.json"),
    bytes("onnxruntime/ort-wasm-simd-threaded.wasm"),
    bytes("model/weights.safetensors"),
    ...GRAPHS.map(name => bytes(`model/${name}.onnx`)),
  ]);
  // Given as bytes, it does not matter which type the host says that a .wasm file is of.
  ort.env.wasm.wasmBinary = runtime;
  ort.env.wasm.numThreads = 1; // more need headers that a plain host does not send
  const named = Object.fromEntries(GRAPHS.map((name, at) => [name, graphs[at]]));
  const model = await Model.load(ort, named, weights);
  const featurizer = new Featurizer(facts.text, facts.limits);
  responder = new Responder(facts, model, featurizer, guard && new WordGuard(guard));
  const { name, bundle_id, precision, licence } = facts;
  return { name, bundle_id, precision, licence, guarded: guard !== null };
}

function reply({ id, turns, search }) {
  let shown = "";
  return responder.reply(turns, search, async text => {
    if (text !== shown) postMessage({ id, text: (shown = text) });
    await breath();
    return !stopped.delete(id);
  });
}

/** Let messages in, such as the one to stop. */
function breath() {
  return new Promise(resolve => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

addEventListener("message", async ({ data }) => {
  const { id, ask } = data;
  if (ask === "stop") {
    stopped.add(id);
    return;
  }
  try {
    postMessage({ id, done: await (ask === "load" ? load() : reply(data)) });
  } catch (error) {
    postMessage({ id, error: error.message, name: error.constructor.name });
  }
  stopped.delete(id);
});
