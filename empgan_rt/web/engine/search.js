/**
 * Beam search for one reply, step by step: what `empgan_rt/search` does in one slot.
 *
 * Sums are float64 and ties go to the lower beam, then to the better-ranked candidate, so the
 * tokens are those of Python whenever the model ranks the candidates alike. Greedy search is one
 * beam. Drawing words is left out.
 */

import { bannedPhraseEnds, repeatedNgramEnds } from "./rules.js";
import { Pool } from "./pool.js";
import { EOS, PAD, SOS, UNK } from "./tokenizer.js";

const STRUCK = -1e4; // log-probability of a banned id

export class BeamSearch {
  /**
   * @param {object} config a SearchConfig, as `generation.json` has it, without sampling
   * @param {{ids: number[], ends: Object<string, object>}} bans what the reply may not say
   * @param {number} vocabularySize the most candidates that a step can return
   */
  constructor(config, bans, vocabularySize) {
    this.config = config;
    this.bans = bans;
    this.pool = new Pool(config);
    // So many candidates of each row make each step exact; see SearchConfig.candidates.
    const fewest = config.beam_size + 1 + (config.repetition_penalty > 1 ? config.max_length : 0);
    this.numCandidates = Math.min(fewest, vocabularySize);
    this.isFinished = false;
    const beams = Array.from({ length: config.beam_size }, (_, beam) => beam);
    this.tokenIds = beams.map(() => SOS);
    this.parents = beams;
    this.sequences = beams.map(() => []);
    this.scores = beams.map(beam => (beam ? -Infinity : 0)); // equal rows would stay equal
    this.length = 0;
  }

  /** Return (K, S): the ids to strike of each row in the next step, padded with PAD. */
  banned() {
    const { allow_unknown, min_length, no_repeat_ngram } = this.config;
    const always = [PAD, SOS, ...this.bans.ids];
    if (this.length < min_length) always.push(EOS);
    if (!allow_unknown) always.push(UNK);
    const rows = this.sequences.map(tokens => [
      ...always,
      ...repeatedNgramEnds(tokens, no_repeat_ngram),
      ...bannedPhraseEnds(tokens, this.bans.ends),
    ]);
    const widest = Math.max(...rows.map(row => row.length));
    return rows.map(row => [...row, ...Array(widest - row.length).fill(PAD)]);
  }

  /**
   * Take one step.
   *
   * @param {ArrayLike<number>} ids (K C) candidates of each row, best first
   * @param {ArrayLike<number>} logProbs (K C) theirs
   */
  advance(ids, logProbs) {
    const { beam_size: beams, repetition_penalty: penalty, max_length } = this.config;
    const count = ids.length / beams;
    const expansions = [];
    const stuck = [];
    for (let row = 0; row < beams; row++) {
      if (this.scores[row] === -Infinity) continue;
      let going = 0;
      for (let place = row * count; place < (row + 1) * count; place++) {
        const logProb = logProbs[place];
        if (!(logProb < Infinity)) throw new Error("the model computed NaN or infinity");
        if (logProb <= STRUCK / 2) continue;
        // Rounding can lift a log-probability above 0; the bounds of the search rest on <= 0.
        let counted = Math.min(logProb, 0);
        if (penalty > 1 && this.sequences[row].includes(ids[place])) counted *= penalty;
        expansions.push({ row, token: ids[place], score: this.scores[row] + counted });
        going++;
      }
      if (!going) stuck.push(row);
    }
    expansions.sort((one, other) => other.score - one.score); // stable
    for (const { row, token, score } of expansions.slice(0, beams)) {
      if (token === EOS) this.pool.add(this.sequences[row], score, "eos");
    }
    for (const row of stuck) this.pool.add(this.sequences[row], this.scores[row], "length");
    this.descend_(expansions.filter(({ token }) => token !== EOS).slice(0, beams));
    this.settle_(max_length);
  }

  /** Return the finished hypotheses, best first, at most num_hypotheses. */
  results() {
    return this.pool.hypotheses.slice(0, this.config.num_hypotheses);
  }

  /** Return the tokens that the best hypothesis will begin with, whatever is still to come. */
  sharedPrefix() {
    const best = this.pool.hypotheses[0];
    const toBeat = best ? best.score : -Infinity;
    const winners = best ? [best.tokenIds] : [];
    for (const row of this.isFinished ? [] : this.live_()) {
      if (this.pool.attainable(this.scores[row], this.length) > toBeat) {
        winners.push(this.sequences[row]);
      }
    }
    const [first = [], ...others] = winners;
    const differs = first.findIndex((token, at) => others.some(other => other[at] !== token));
    return differs < 0 ? first : first.slice(0, differs);
  }

  /** Make every row the continuation of its parent by its token; rows left over are dead. */
  descend_(expansions) {
    const rows = this.sequences.map((_, row) => expansions[row] ?? { row, token: PAD, score: -Infinity });
    this.parents = rows.map(each => each.row);
    this.tokenIds = rows.map(each => each.token);
    this.scores = rows.map(each => each.score);
    this.sequences = rows.map(each => [...this.sequences[each.row], each.token]);
    this.length++;
  }

  settle_(maxLength) {
    const live = this.live_();
    const best = Math.max(...this.scores);
    if (live.length && !this.pool.isSettled(best, this.length)) {
      if (this.length < maxLength) return;
      for (const row of live) this.pool.add(this.sequences[row], this.scores[row], "length");
    }
    this.isFinished = true;
  }

  live_() {
    return [...this.scores.keys()].filter(row => this.scores[row] > -Infinity);
  }
}
