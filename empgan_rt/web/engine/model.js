/** The graphs of a bundle on onnxruntime-web: what `empgan_rt/backends` does for one dialogue. */

const GRAPHS = ["turn_encoder", "context_encoder", "decoder_step"];
const REMEMBERED = 1024; // turns whose vectors are kept, the last used ones

export class Model {
  /**
   * Return a model that is ready to compute.
   *
   * @param {object} ort the module of onnxruntime-web
   * @param {Object<string, Uint8Array>} graphs ONNX bytes by name
   * @param {Uint8Array} weights what the graphs refer to as `weights.safetensors`
   */
  static async load(ort, graphs, weights) {
    const externalData = [{ path: "weights.safetensors", data: weights }];
    const sessions = {};
    for (const name of GRAPHS) {
      sessions[name] = await ort.InferenceSession.create(graphs[name], {
        executionProviders: ["wasm"],
        externalData,
        logSeverityLevel: 3,
      });
    }
    return new Model(ort, sessions);
  }

  constructor(ort, sessions) {
    this.ort_ = ort;
    this.sessions_ = sessions;
    this.turns_ = new Map();
  }

  /**
   * Run both encoders over one dialogue, and return its memory with `labelProbs`, (M, 7) as rows.
   *
   * @param {{tokenIds: number[], emotionIds: number[], label: number}[]} turns
   */
  async encode(turns) {
    const vectors = [];
    for (const turn of turns) vectors.push(await this.vector_(turn));
    const width = vectors[0].length;
    const longest = Math.max(...turns.map(turn => turn.tokenIds.length));
    const joined = new Float32Array(turns.length * width);
    const utterances = new Int32Array(turns.length * longest);
    turns.forEach((turn, m) => {
      joined.set(vectors[m], m * width);
      utterances.set(turn.tokenIds, m * longest);
    });
    const found = await this.run_("context_encoder", {
      turn_vectors: this.floats_(joined, [1, turns.length, width]),
      utterances: this.integers_(utterances, [1, turns.length, longest]),
      emotion_labels: this.integers_(turns.map(turn => turn.label), [1, turns.length]),
    });
    const probs = found.label_probs.data;
    return {
      memory: { values: found.values, keys: found.keys, mask: found.mask },
      hidden: found.hidden.data,
      labelProbs: turns.map((_, m) => Array.from(probs.slice(m * 7, (m + 1) * 7))),
    };
  }

  /** Return the decoder's state at the start of a reply in K rows. */
  open(encoded, rows) {
    const width = encoded.hidden.length;
    const hidden = new Float32Array(rows * width);
    for (let row = 0; row < rows; row++) hidden.set(encoded.hidden, row * width);
    return { memory: encoded.memory, hidden: this.floats_(hidden, [1, rows, width]) };
  }

  /**
   * Advance every row by one token and return the C best next ones, `{ids, logProbs}`, (K C) each.
   *
   * @param {object} state from `open`, updated
   * @param {number[]} tokenIds (K)
   * @param {number[]} parents (K) the row that each one descends from
   * @param {number[][]} banned (K, S) ids to strike
   * @param {number} numCandidates C
   */
  async step(state, tokenIds, parents, banned, numCandidates) {
    const rows = [1, tokenIds.length];
    const found = await this.run_("decoder_step", {
      token_ids: this.integers_(tokenIds, rows),
      parents: this.integers_(parents, rows),
      hidden: state.hidden,
      ...state.memory,
      banned: this.integers_(banned.flat(), [...rows, banned[0].length]),
      num_candidates: new this.ort_.Tensor("int64", BigInt64Array.of(BigInt(numCandidates)), [1]),
    });
    state.hidden = found.next_hidden;
    return { ids: found.candidate_ids.data, logProbs: found.candidate_log_probs.data };
  }

  /** Return the vector of a turn, from memory if it was read before. */
  async vector_({ tokenIds, emotionIds }) {
    const key = `${tokenIds};${emotionIds}`;
    let vector = this.turns_.get(key);
    if (!vector) {
      const found = await this.run_("turn_encoder", {
        utterances: this.integers_(tokenIds, [1, tokenIds.length]),
        emotion_words: this.integers_(emotionIds, [1, emotionIds.length]),
      });
      vector = found.turn_vectors.data;
    }
    this.turns_.delete(key); // to be the last used one
    this.turns_.set(key, vector);
    if (this.turns_.size > REMEMBERED) this.turns_.delete(this.turns_.keys().next().value);
    return vector;
  }

  run_(name, feeds) {
    return this.sessions_[name].run(feeds);
  }

  integers_(values, shape) {
    return new this.ort_.Tensor("int32", Int32Array.from(values), shape);
  }

  floats_(values, shape) {
    return new this.ort_.Tensor("float32", values, shape);
  }
}
