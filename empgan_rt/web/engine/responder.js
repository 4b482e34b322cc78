/** Turns in, a reply out: what `Responder` does, guard and all. */

import { inputVerdict, replyVerdict } from "./asking.js";
import { EMOTIONS, UNKNOWN_LABEL } from "./featurizer.js";
import { BeamSearch } from "./search.js";

/** The reply was no longer wanted. */
export class Cancelled extends Error {}

export class Responder {
  /**
   * @param {object} facts `model.json` of the folder
   * @param {import("./model.js").Model} model
   * @param {import("./featurizer.js").Featurizer} featurizer
   * @param {?import("./word_guard.js").WordGuard} guard
   */
  constructor(facts, model, featurizer, guard) {
    this.facts = facts;
    this.model_ = model;
    this.featurizer_ = featurizer;
    this.guard_ = guard;
  }

  /**
   * Return the next turn of a dialogue, with the keys of Python's `Reply.to_dict`.
   *
   * Throws InputError if a turn is not acceptable, and Cancelled.
   *
   * @param {{text: string, emotion: ?string}[]} turns oldest first
   * @param {object} search settings that are not the bundle's own
   * @param {(text: string) => Promise<boolean>} onStep told after each step what is certain so far,
   *   nothing under a guard; what it returns tells whether to go on
   */
  async reply(turns, search = {}, onStep = async () => true) {
    const config = { ...this.facts.search, ...search };
    const features = this.featurizer_.features(turns);
    const reply = {
      text: "", score: 0, token_ids: [], finish_reason: "eos", emotions: [], alternatives: [],
      unk_ratio: features.unkRatio, turns_dropped: features.turnsDropped,
      tokens_dropped: features.tokensDropped, bundle_id: this.facts.bundle_id,
      source: "model", verdict: null,
    };
    if (this.guard_) {
      const verdict = inputVerdict(this.guard_, turns);
      if (verdict.action !== "allow") return spokenByGuard(reply, verdict);
    }
    const encoded = await this.model_.encode(features.turns);
    reply.emotions = features.turns.map((turn, m) => emotionOf(turn.label, encoded.labelProbs[m]));
    const found = await this.search_(encoded, config, onStep);
    return this.said_(reply, found, turns, config.num_hypotheses);
  }

  async search_(encoded, config, onStep) {
    // Under a guard all that was found is kept, in case the best may not be said.
    const wanted = this.guard_ ? { ...config, num_hypotheses: config.beam_size } : config;
    const search = new BeamSearch(wanted, this.facts.bans, this.facts.vocabulary_size);
    const state = this.model_.open(encoded, config.beam_size);
    while (!search.isFinished) {
      const { ids, logProbs } = await this.model_.step(
        state, search.tokenIds, search.parents, search.banned(), search.numCandidates,
      );
      search.advance(ids, logProbs);
      const certain = this.guard_ ? "" : this.featurizer_.textOf(search.sharedPrefix(), false);
      if (!(await onStep(certain))) throw new Cancelled("cancelled");
    }
    return search.results().map(({ tokenIds, score, finishReason }) => ({
      text: this.featurizer_.textOf(tokenIds), score, token_ids: tokenIds, finish_reason: finishReason,
    }));
  }

  /** Return a reply of what was found, as far as the guard lets it through. */
  said_(reply, found, turns, most) {
    if (this.guard_) {
      const heard = heardAs(turns, reply.emotions);
      const verdict = replyVerdict(this.guard_, heard, found.map(each => each.text));
      if (verdict.action !== "allow") return spokenByGuard(reply, verdict);
      if (verdict.candidates) found = verdict.candidates.map(place => found[place]);
      reply.verdict = told(verdict);
    }
    const [best, ...others] = found;
    return { ...reply, ...best, alternatives: others.slice(0, most - 1) };
  }
}

/** Return turns with what was recognised of them; the oldest may have been too many for the model. */
function heardAs(turns, emotions) {
  const dropped = turns.length - emotions.length;
  return turns.map((turn, m) => (m < dropped ? turn : { ...turn, emotion: emotions[m - dropped].label }));
}

function spokenByGuard(reply, verdict) {
  return { ...reply, text: verdict.text, source: "guard", verdict: told(verdict) };
}

/** Return what a verdict says for those who run the program; its text is the reply's. */
function told({ action, category, rule, message }) {
  return { action, category, rule, message };
}

/** Return a turn's emotion, given by its speaker or else from 7 probabilities. */
function emotionOf(label, probabilities) {
  if (label !== UNKNOWN_LABEL) return { label: EMOTIONS[label - 1], probability: 1, given: true };
  const probability = Math.max(...probabilities);
  return { label: EMOTIONS[probabilities.indexOf(probability)], probability, given: false };
}
