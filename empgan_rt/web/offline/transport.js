/**
 * Replies from this very machine: the page's transport in a folder that `empgan-rt web` wrote.
 *
 * It has the face of the server's page's `transport.js`.
 */

import { keepOffline } from "./offline.js";

/**
 * Return what answers, once it is ready.
 *
 * @param {(text: string, share: ?number) => void} onProgress told what is waited for, and how far
 */
export async function open(onProgress) {
  const isKept = await keepOffline(share => onProgress("Fetching the model, once", share));
  onProgress("Starting the model", null);
  const engine = new Engine();
  const facts = await engine.ask({ ask: "load" });
  return {
    models: [facts.name],
    where:
      "The model runs in this browser. What you say never leaves your machine" +
      (isKept ? ", and the page works offline from now on." : "."),
    facts: `Model ${facts.name} (${facts.bundle_id}, ${facts.precision}), licence ${facts.licence}.`,
    reply: (turns, { onText, signal }) => engine.ask({ ask: "reply", turns }, onText, signal),
  };
}

class Engine {
  constructor() {
    this.worker_ = new Worker(new URL("./engine/worker.js", import.meta.url), { type: "module" });
    this.asked_ = new Map();
    this.count_ = 0;
    this.worker_.addEventListener("message", ({ data }) => this.told_(data));
    this.worker_.addEventListener("error", () => {
      for (const { reject } of this.asked_.values()) reject(new Error("The engine did not start."));
    });
  }

  /** Return what the engine answers; `onText` is told what is certain so far. */
  ask(question, onText = () => {}, signal = undefined) {
    const id = ++this.count_;
    signal?.addEventListener("abort", () => this.worker_.postMessage({ id, ask: "stop" }));
    return new Promise((resolve, reject) => {
      this.asked_.set(id, { resolve, reject, onText });
      this.worker_.postMessage({ ...question, id });
    });
  }

  told_({ id, text, done, error, name }) {
    const { resolve, reject, onText } = this.asked_.get(id);
    if (text !== undefined) {
      onText(text);
      return;
    }
    this.asked_.delete(id);
    if (error === undefined) resolve(done);
    else if (name === "Cancelled") reject(new DOMException(error, "AbortError"));
    else reject(new Error(error));
  }
}
