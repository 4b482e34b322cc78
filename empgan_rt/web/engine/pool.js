/** Finished hypotheses of one request: `empgan_rt/search/hypothesis.py`. */
export class Pool {
  constructor(config) {
    this.config = config;
    this.hypotheses = []; // best first; equal scores keep the order in which they came
  }

  /** Enter a finished sequence; the worst one leaves when there are too many. */
  add(tokenIds, logProb, finishReason) {
    const length = tokenIds.length + (finishReason === "eos" ? 1 : 0);
    const score = this.score_(logProb, length);
    const place = this.hypotheses.findIndex(other => other.score < score);
    const hypothesis = { tokenIds, logProb, score, finishReason };
    this.hypotheses.splice(place < 0 ? this.hypotheses.length : place, 0, hypothesis);
    this.hypotheses.length = Math.min(this.hypotheses.length, this.config.beam_size);
  }

  /** Return a score that no end of a live hypothesis of `length` tokens can exceed. */
  attainable(logProb, length) {
    return Math.max(this.score_(logProb, length), this.score_(logProb, this.config.max_length));
  }

  /** Return whether the search may end; its best live hypothesis is the one given. */
  isSettled(logProb, length) {
    if (this.hypotheses.length < this.config.beam_size) return false;
    if (this.config.early_stopping) return true;
    return this.attainable(logProb, length) <= this.hypotheses.at(-1).score;
  }

  score_(logProb, length) {
    return logProb / Math.max(length, 1) ** this.config.length_penalty;
  }
}
