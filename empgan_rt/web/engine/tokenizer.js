/**
 * Text to words and ids: the rules of `empgan_rt/text/word_rules.py`, one for one.
 *
 * Oniguruma reads those, a browser reads these; classes of characters are written out, since
 * `\w`, `\d` and `\s` mean ASCII here. Tests hold both to the same words.
 */

export const PAD = 0, UNK = 1, SOS = 2, EOS = 3;

const W = String.raw`\p{Alphabetic}\p{M}\p{Nd}\p{Pc}`; // \w inside of a class
const WORD_ = `[${W}\u00b2\u00b3\u00b9\u00bc-\u00be]`; // \w: outside of classes Oniguruma has these, too
const EDGE = `(?:(?<=${WORD_})(?!${WORD_})|(?<!${WORD_})(?=${WORD_}))`; // \b
const LETTER = String.raw`(?![\p{Nd}_])[${W}]`; // [^\W\d_]
const ALPHANUMERIC = `(?!_)[${W}]`; // [^\W_]
const CLITIC = "(?:[sS\u017f]|[mM]|[dD]|[rR][eE]|[vV][eE]|[lL][lL])";
const END = `(?![${W}'])`;

const REWRITES = [
  ["[\u2018\u2019\u2032\u00b4\u02bc`]", "'"],
  ["[\u201c\u201d\u2033\u00ab\u00bb]", '"'],
  ["[\u2010\u2011]", "-"],
  ["[\u2012-\u2015]", " - "],
  ["\u2026", "..."],
  ["\u3002", ". "],
  ["[\u3001\uff0c]", ", "],
  ["\uff1f", "? "],
  ["\uff01", "! "],
  [String.raw`\p{Cf}+`, ""],
  [String.raw`[\p{Cc}\p{Zs}\p{Zl}\p{Zp}]+`, " "],
  [`(?<=[A-Za-z]) ?' ?(?=t${EDGE})(?<=n ' |n' |n '|n')`, "'"],
  [`(?<=[A-Za-z]) ' ?(?=${CLITIC}${EDGE})`, "'"],
  [`(?<=[A-Za-z])' (?=${CLITIC}${EDGE})`, "'"],
  [`(?<=[A-Za-z])'Ve${EDGE}`, "'ve"],
  [`${EDGE}[Oo] ' (?=clock${EDGE})`, "o'"],
  ["(?<=[a-z]{2}[.?!])(?=[A-Z])", " "],
  ["(?<=[a-z]{2},)(?=[A-Za-z])", " "],
  [String.raw`(?<=${EDGE}(?:Mr|Ms|Dr|St)) (?=\.)`, ""],
  [String.raw`(?<=${EDGE}Mrs) (?=\.)`, ""],
  [String.raw`(?<=${EDGE}[ap]) ?\. ?(?=m${EDGE})`, "."],
  [String.raw`(?<=${EDGE}[ap]\.m) (?=\.)`, ""],
].map(([pattern, text]) => [new RegExp(pattern, "gu"), text]);

const SPACE = /\p{White_Space}+/u;
const WORD = new RegExp(
  [
    String.raw`(?:Mr|Mrs|Ms|Dr|St)\.`,
    String.raw`[ap]\.m\.?`,
    String.raw`\p{Nd}+(?:[.,:]\p{Nd}+)*(?:st|nd|rd|th)?`,
    `'${CLITIC}${END}`,
    `(?:${LETTER})+(?:(?:-|'(?!${CLITIC}${END}))(?:${ALPHANUMERIC})+)*`,
    String.raw`\.{2,}`,
    `${WORD_}+`,
    String.raw`[^${W}\p{White_Space}]`,
  ].join("|"),
  "gu",
);

export class Tokenizer {
  /**
   * @param {string[]} vocabulary words in the order of their ids, the four specials first
   * @param {boolean} lowercase whether all text is read in lower case
   */
  constructor(vocabulary, lowercase) {
    this.vocabulary = vocabulary;
    this.lowercase = lowercase;
    this.ids_ = new Map(vocabulary.map((word, id) => [word, id]));
  }

  /** Return the words of a text as they are written, in or out of the vocabulary. */
  words(text) {
    let plain = text.normalize("NFC");
    for (const [pattern, replacement] of REWRITES) plain = plain.replace(pattern, replacement);
    // Letter by letter: in a whole word, JavaScript writes a sigma at its end otherwise.
    if (this.lowercase) plain = Array.from(plain, letter => letter.toLowerCase()).join("");
    return plain.split(SPACE).flatMap(part => part.match(WORD) ?? []);
  }

  /** Return the id of each word; UNK for words outside the vocabulary, the specials among them. */
  ids(words) {
    return words.map(word => {
      const id = this.ids_.get(word) ?? UNK;
      return id > EOS ? id : UNK;
    });
  }

  /** Return the words of ids, leaving out padding, start and end of sequence. */
  wordsOf(ids) {
    return ids.filter(id => id !== PAD && id !== SOS && id !== EOS).map(id => this.vocabulary[id]);
  }
}
