/**
 * Phrases as one automaton over words: `empgan_rt/guard/phrases.py`.
 *
 * For each word of a text it moves every place that it may be in, so the work grows with the
 * text's length, whatever the text holds.
 */

const GAP = 3; // words that "..." stands for at most
const START = 0;

export class Phrases {
  /** @param {object[][]} ways the phrases; their places are their numbers */
  constructor(ways) {
    this.words_ = [new Map()]; // state -> word -> states
    this.endings_ = new Map(); // state -> [beginning, state]
    this.gaps_ = new Map();
    this.ends_ = new Map(); // state -> numbers of phrases
    this.shared_ = new Map(); // what phrases that begin alike share
    ways.forEach((way, number) => {
      const [state, rest] = this.begun_(way);
      const ends = rest.length ? this.lead_(new Set([state]), rest, this.state_()) : [state];
      for (const end of ends) append(this.ends_, end, number);
    });
    /** All words of the phrases but those with any ending. */
    this.vocabulary = new Set(this.words_.flatMap(words => [...words.keys()]));
  }

  /** Return every phrase in a sentence, `{phrase, start, end}`; where it began last. */
  find(sentence) {
    const found = [];
    let active = new Map(); // state -> the place where its phrase began
    sentence.forEach((readings, place) => {
      active.set(START, place);
      const reached = new Map();
      for (const [state, start] of active) {
        for (const target of this.targets_(state, readings)) {
          if ((reached.get(target) ?? -1) < start) reached.set(target, start);
        }
      }
      for (const [state, start] of reached) {
        for (const phrase of this.ends_.get(state) ?? []) found.push({ phrase, start, end: place + 1 });
      }
      active = reached;
    });
    return found;
  }

  targets_(state, readings) {
    const targets = [...(this.gaps_.get(state) ?? [])];
    for (const reading of readings) {
      targets.push(...(this.words_[state].get(reading) ?? []));
      for (const [beginning, target] of this.endings_.get(state) ?? []) {
        if (reading.startsWith(beginning)) targets.push(target);
      }
    }
    return targets;
  }

  /** Lead along the first words that must stand as they are; return where, and the rest. */
  begun_(way) {
    let state = START;
    for (const [place, { word, isOptional, hasEnding }] of way.entries()) {
      if (isOptional || hasEnding || !word) return [state, way.slice(place)];
      const key = `${state} ${word}`;
      if (!this.shared_.has(key)) {
        this.shared_.set(key, this.state_());
        append(this.words_[state], word, this.shared_.get(key));
      }
      state = this.shared_.get(key);
    }
    return [state, []];
  }

  /** Lead from each state of a frontier along a way to its end; return where it may end. */
  lead_(frontier, way, end) {
    way.forEach((element, place) => {
      const target = place === way.length - 1 ? end : this.state_();
      const reached = this.over_(frontier, element, target);
      frontier = element.isOptional ? new Set([...frontier, ...reached]) : reached;
    });
    return frontier;
  }

  /** Lead from each state of a frontier over one element; return where it may end. */
  over_(frontier, { word, hasEnding, ways }, end) {
    if (ways.length) return new Set(ways.flatMap(way => [...this.lead_(frontier, way, end)]));
    if (!word) return this.overGap_(frontier);
    for (const source of frontier) {
      if (hasEnding) append(this.endings_, source, [word, end]);
      else append(this.words_[source], word, end);
    }
    return new Set([end]);
  }

  overGap_(frontier) {
    const reached = new Set(frontier);
    let last = frontier;
    for (let word = 0; word < GAP; word++) {
      const state = this.state_();
      for (const source of last) append(this.gaps_, source, state);
      last = new Set([state]);
      reached.add(state);
    }
    return reached;
  }

  /** Return a new state. */
  state_() {
    return this.words_.push(new Map()) - 1;
  }
}

function append(lists, key, value) {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
}
