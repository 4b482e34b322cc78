/**
 * A message as words that phrases can be looked for in: `empgan_rt/guard/normalise.py`.
 *
 * Python's `\w`, `\d` and `\s` know all scripts; here these classes are written out.
 */

import { BEGIN, END } from "./phrase_reader.js";

const W = String.raw`\p{L}\p{N}`; // [^\W_]
const WORD_ = `[${W}_]`; // \w
const LETTER = String.raw`(?![\p{Nd}_])[${W}_]`; // [^\W\d_]
const SPACE = String.raw`[\s\x1c-\x1f\x85]`;
const APOSTROPHES = /[\u2018\u2019\u02bc`\u00b4\u2032\uff07]/gu;
const MARKS = /[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]+/gu;
const LOOSE_CLITIC = new RegExp(
  `(?<=[a-z]) ?' ?(?=(?:t|s|m|d|re|ve|ll)(?!${WORD_}))`, "gu",
);
const PARTS = new RegExp(
  String.raw`[@$]?[${W}]+(?:['@$!*|][${W}]+)*|[!?;\n\u3002]|(?<!\.)(?<!\.[${W}])\.(?=${SPACE}|$)`,
  "gu",
);
const DISGUISE = new RegExp(
  String.raw`\p{Nd}(?=${LETTER})|(?<=${LETTER})\p{Nd}` +
    String.raw`|(?<=[${W}])[@$!|*](?=[${W}])|[@$](?=${LETTER})`,
  "u",
);
const OFTEN = new RegExp(String.raw`(${LETTER})\1\1+`, "u");
const ALL_OFTEN = new RegExp(OFTEN, "gu");
const APART = new RegExp(
  String.raw`(?<![${W}])[${W}](?:[^'${W}]+[${W}](?![${W}])){2}`, "u",
);
const FORMAT = /\p{Cf}/gu;
const ENDS = new Set("!?;\n.\u3002");
const LETTERS = letters("oieastasil");
const OTHER_LETTERS = letters("oleastasll");
const FEWEST_APART = 3; // letters that stand alone in a row are no words
const UNKNOWN = 3; // what a letter outside of any word costs, in words
// Small letters that case folding writes otherwise, of those that NFKC leaves.
const FOLDED = { "\u00df": "ss", "\u1e9e": "ss", "\u03c2": "\u03c3" };

export class Normaliser {
  /** @param {Object<string, string[]>} spellings words -> the forms that are read as these */
  constructor(spellings) {
    this.spelled_ = new Map();
    for (const [words, forms] of Object.entries(spellings)) {
      const read = plain(words).split(/\s+/u).filter(Boolean).map(word => [word]);
      for (const form of forms) this.spelled_.set(plain(form), read);
    }
  }

  /** Return the words of a phrase, in their first readings. */
  words(text) {
    const sentences = this.sentences(text, new Set());
    return sentences.flatMap(sentence => sentence.slice(1, -1).map(readings => readings[0]));
  }

  /**
   * Return the sentences of a text, for each place the words that it may be read as.
   *
   * @param {string} text any
   * @param {Set<string>} vocabulary the words that letters apart are put together to
   */
  sentences(text, vocabulary) {
    const small = plain(text);
    const parts = small.match(PARTS) ?? [];
    const isSimple = !(DISGUISE.test(small) || OFTEN.test(small) || APART.test(small));
    const sentences = [];
    let sentence = [[BEGIN]];
    for (const part of [...(isSimple ? parts : joined(parts, vocabulary)), "."]) {
      if (this.spelled_.has(part)) sentence.push(...this.spelled_.get(part));
      else if (!ENDS.has(part)) {
        sentence.push(...(isSimple ? [[part.replaceAll("'", "")]] : this.readings_(part)));
      } else if (sentence.length > 1) {
        sentences.push([...sentence, [END]]);
        sentence = [[BEGIN]];
      }
    }
    return sentences;
  }

  /** Return the words that one part of a text may be read as, for each place that it takes. */
  readings_(part) {
    const readings = new Set(readingsOf(part));
    for (const reading of readings) {
      if (this.spelled_.has(reading)) return this.spelled_.get(reading);
    }
    return [[...new Set(Array.from(readings, reading => reading.replaceAll("'", "")))]];
  }
}

/** Return a text in small letters without marks and invisible characters. */
function plain(text) {
  text = text.replace(APOSTROPHES, "'");
  if (/[^\x00-\x7f]/u.test(text)) {
    text = text.normalize("NFKD").replace(MARKS, "").normalize("NFKC").replace(FORMAT, "");
  }
  // Letter by letter: in a whole word, JavaScript writes a sigma at its end otherwise.
  const small = Array.from(text, letter => FOLDED[letter] ?? letter.toLowerCase()).join("");
  return small.replace(LOOSE_CLITIC, "'");
}

/** Return the parts of a text, letters that stand alone put together to words. */
function joined(parts, vocabulary) {
  const found = [];
  let apart = [];
  for (const part of [...parts, "."]) {
    if (Array.from(part).length === 1 && !ENDS.has(part)) {
      apart.push(part);
      continue;
    }
    found.push(...(apart.length < FEWEST_APART ? apart : segmented(apart, vocabulary)), part);
    apart = [];
  }
  return found;
}

/** Return what a word may be: as it is, undisguised, and with letters less often. */
function readingsOf(part) {
  const found = [part];
  let words = [part];
  if (DISGUISE.test(part)) {
    const bare = part.replaceAll("*", "");
    words = [translated(bare, LETTERS), translated(bare, OTHER_LETTERS)];
    found.push(...words);
  }
  for (const word of words.filter(word => OFTEN.test(word))) {
    found.push(word.replace(ALL_OFTEN, "$1$1"), word.replace(ALL_OFTEN, "$1"));
  }
  return found;
}

/** Return letters as the fewest words, letters by themselves where there is none. */
function segmented(apart, vocabulary) {
  const text = Array.from(translated(apart.join(""), LETTERS));
  const longest = Math.max(1, ...Array.from(vocabulary, word => Array.from(word).length));
  const best = [{ cost: 0, start: 0 }]; // up to a place, and where its last word begins
  for (let end = 1; end <= text.length; end++) {
    let way = { cost: best[end - 1].cost + UNKNOWN, start: end - 1 };
    for (let start = Math.max(0, end - longest); start < end - 1; start++) {
      if (!vocabulary.has(text.slice(start, end).join(""))) continue;
      const cost = best[start].cost + 1;
      if (cost < way.cost || (cost === way.cost && start < way.start)) way = { cost, start };
    }
    best.push(way);
  }
  const words = [];
  for (let end = text.length; end; end = best[end].start) {
    words.unshift(text.slice(best[end].start, end).join(""));
  }
  return words;
}

/** Return what digits and signs stand for, in the order of "013457@$!|". */
function letters(written) {
  return Object.fromEntries(Array.from("013457@$!|", (sign, at) => [sign, written[at]]));
}

function translated(text, table) {
  return Array.from(text, sign => table[sign] ?? sign).join("");
}
