/** The guard by words, a floor which knows phrases and no meaning: `empgan_rt/guard/word_guard.py`. */

import { Normaliser } from "./normalise.js";
import { readPhrase } from "./phrase_reader.js";
import { Phrases } from "./phrases.js";

const ALLOWED = { action: "allow", text: "", category: "", rule: "", message: "", candidates: null };

export class WordGuard {
  /**
   * @param {object} words `guard.json`: idioms, lists, spellings, categories in their order, and
   *   the texts with their numbers filled in
   */
  constructor({ idioms, lists, spellings, categories, texts }) {
    this.texts_ = texts;
    this.categories_ = new Map(categories.map(category => [category.name, category]));
    this.rules_ = idioms.map(phrase => ({ phrase, category: "", takesBack: true }));
    for (const { name, phrases, unless } of categories) {
      this.rules_.push(...phrases.map(phrase => ({ phrase, category: name, takesBack: false })));
      this.rules_.push(...unless.map(phrase => ({ phrase, category: name, takesBack: true })));
    }
    this.normaliser_ = new Normaliser(spellings);
    const known = new Map();
    const spelled = part => {
      if (!known.has(part)) known.set(part, this.normaliser_.words(part));
      return known.get(part);
    };
    this.phrases_ = new Phrases(this.rules_.map(rule => readPhrase(rule.phrase, lists, spelled)));
  }

  /** Return the verdict on the newest message, and on those of its speaker before it. */
  checkInput(turns) {
    const match = this.match_(turns.at(-1).text, "messages", turns.at(-1).emotion);
    if (match) return this.stopped_(match, this.texts_[match.category], "the newest message");
    const longest = Math.max(0, ...Array.from(this.categories_.values(), each => each.later));
    for (let back = 1; back <= longest; back++) {
      const earlier = turns[turns.length - 1 - 2 * back]; // speakers take turns
      if (!earlier) break;
      const old = this.match_(earlier.text, "messages", earlier.emotion);
      if (old && back <= this.categories_.get(old.category).later) {
        const text = this.texts_[`${old.category}_later`] ?? this.texts_[old.category];
        return this.stopped_(old, text, "an earlier message");
      }
    }
    return ALLOWED;
  }

  /** Return which candidates may be said, or the text in their place if none may. */
  checkReply(turns, candidates) {
    const matches = candidates.map(text => this.match_(text, "replies", turns.at(-1)?.emotion));
    const refused = matches.find(Boolean);
    if (!refused) return ALLOWED;
    const allowed = [...matches.keys()].filter(place => !matches[place]);
    if (!allowed.length) {
      return this.stopped_(refused, this.insteadOf_(refused), "every reply", "replace");
    }
    const count = candidates.length;
    const message = `${count - allowed.length} of ${count} replies were refused`;
    const { category, phrase } = refused;
    return { ...ALLOWED, category, rule: phrase, message, candidates: allowed };
  }

  /** Return the first rule, in the order of the word list, that a text meets. */
  match_(text, where, emotion) {
    let first = Infinity;
    for (const sentence of this.normaliser_.sentences(text, this.phrases_.vocabulary)) {
      const found = this.phrases_.find(sentence);
      const taken = new Map(); // category -> places whose matches are taken back
      for (const { phrase, start, end } of found) {
        const { category, takesBack } = this.rules_[phrase];
        if (!takesBack) continue;
        if (!taken.has(category)) taken.set(category, new Set());
        for (let place = start; place < end; place++) taken.get(category).add(place);
      }
      const isTaken = (name, { start, end }) => {
        for (let place = start; place < end; place++) if (taken.get(name)?.has(place)) return true;
        return false;
      };
      for (const each of found) {
        const { category, takesBack } = this.rules_[each.phrase];
        if (takesBack) continue;
        const { reads, emotions } = this.categories_.get(category);
        if (!reads.includes(where) || (emotions && !emotions.includes(emotion))) continue;
        if (!isTaken("", each) && !isTaken(category, each)) first = Math.min(first, each.phrase);
      }
    }
    return this.rules_[first];
  }

  /** Return what is said where every reply is refused; texts of messages' categories answer those. */
  insteadOf_({ category }) {
    const refused = this.texts_.refused_reply;
    if (this.categories_.get(category).reads.includes("messages")) return refused;
    return this.texts_[category] ?? refused;
  }

  /** Return the verdict on what met a rule. */
  stopped_({ category, phrase }, text, what, action = this.categories_.get(category).action) {
    const message = `${what} holds a phrase of the category ${category}`;
    return { action, text, category, rule: phrase, message, candidates: null };
  }
}
