/**
 * Words back to readable text: `empgan_rt/text/detokenizer.py`, rule for rule.
 *
 * Of a reply that goes on only so much becomes text as later words cannot change, so a streamed
 * reply never takes a character back.
 */

import {
  firstOf, isAlphabetic, isAlphanumeric, isCapital, isDigits, kindsOf, namesIn, openName,
} from "./names.js";

const CLITICS = new Set(
  ["'s", "'m", "'d", "'re", "'ve", "'ll", "n't"].flatMap(form => [form, form.toUpperCase()]),
);
const JOINS_LEFT = new Set(",!?;:)]}%°…/");
const JOINS_RIGHT = new Set("([{$£¥#/");
const ENDS_SENTENCE = new Set([".", "!", "?", "..."]);
const TRANSPARENT = new Set("\"'([{)]}");
const QUOTES = new Set("\"'");
const AS_WRITTEN = new Set(["a.m", "a.m.", "p.m", "p.m."]); // "A.m." is read as other words
const NO_PLURALS = new Set(["as", "is", "means", "says", "was", "yes"]);

const isDots = text => /^\.*$/.test(text);
const last = text => Array.from(text).at(-1);

/**
 * Return readable text for the words of a reply.
 *
 * @param {string[]} words of the reply, or of its beginning
 * @param {boolean} whole whether no more words follow; otherwise the last words may be missing
 *   from the text: those whose spacing or capitals the next ones settle
 */
export function detokenise(words, whole = true) {
  const kinds = kindsOf(words);
  const certain = whole ? words.length : openName(kinds);
  const named = new Map();
  for (const { begin, end, kind } of namesIn(kinds)) {
    for (let i = begin; i < end; i++) named.set(i, { inside: i > begin, kind });
  }
  const pieces = [];
  const openQuotes = new Set();
  let beforeLast = "", lastWord = "";
  let opened = false; // whether the last word is an opening quote
  let initials = 0; // of "U.S." so far
  let startsSentence = true;
  for (let [i, word] of words.entries()) {
    const { inside, kind } = named.get(i) ?? { inside: false, kind: "" };
    const first = firstOf(word);
    // Of what may be a name yet, the first word waits only if its capital or the space before it
    // hangs on the rest; of the others a full stop does not wait, which joins in any case.
    if (i === certain && (word === "i" || kinds[i] === ":" || startsSentence)) {
      if (!isCapital(first)) break;
    } else if (i > certain && word !== ".") break;
    const closes = openQuotes.has(word);
    const possesses = word === "'" && !closes && isPlural(lastWord);
    const isInitial = isCapital(word) && word !== "I";
    const inInitials = initials > 0 && lastWord === "." && isInitial;
    const glued = !lastWord || opened || closes || possesses || inInitials || inside;
    if (!(glued || (kind !== "face" && joins(beforeLast, lastWord, word)))) pieces.push(" ");
    opened = QUOTES.has(word) && !(closes || possesses);
    if (closes) openQuotes.delete(word);
    else if (opened) openQuotes.add(word);
    if (isInitial) initials = inInitials ? initials + 1 : 1;
    else if (word !== ".") initials = 0;
    if (word === "i" && !kind) word = "I";
    if (startsSentence && isAlphabetic(first) && !kind && !AS_WRITTEN.has(word)) {
      word = first.toUpperCase() + word.slice(first.length);
    }
    pieces.push(word);
    if (kind === "abbreviation") startsSentence = false;
    else if (ENDS_SENTENCE.has(word)) {
      startsSentence = initials < 2 && lastWord.toLowerCase() !== "vs";
    } else if (!TRANSPARENT.has(word) && kind !== "face") startsSentence = false;
    // "#" of "C#" and "(" of ":(" hold nothing on their right
    const isEnd = (kind === "signs" || kind === "face") && !isAlphanumeric(word);
    [beforeLast, lastWord] = [lastWord, isEnd ? ")" : word];
  }
  return pieces.join("");
}

/** Return whether a word follows the last one without a space, quotes and initials aside. */
function joins(beforeLast, lastWord, word) {
  if (isDots(word)) return !isDots(lastWord);
  if (CLITICS.has(word)) return isAlphanumeric(last(lastWord));
  if (word === "-" || lastWord === "-") {
    return isDigits(lastWord) || isDigits(beforeLast) || word === lastWord;
  }
  if (["+", "~", "€"].includes(lastWord) && isDigits(firstOf(word))) {
    // "+49", "€5", but "x + 5" and "5 € 3"
    const isSum = isAlphabetic(beforeLast) && Array.from(beforeLast).length === 1;
    return lastWord === "~" || !(isSum || (beforeLast && isDigits(firstOf(beforeLast))));
  }
  return (
    JOINS_LEFT.has(word) ||
    JOINS_RIGHT.has(lastWord) ||
    (lastWord === "@" && isAlphabetic(firstOf(word))) || // "@anna"
    (word[0] === "_" && isAlphabetic(lastWord)) || // "snake_case"
    (["s", "k", "€"].includes(word) && isDigits(lastWord)) || // "the 90s"
    (lastWord === "<" && word === "3") ||
    (lastWord === "°" && ["C", "F"].includes(word))
  );
}

function isPlural(word) {
  return isAlphabetic(word) && /[sS]$/.test(word) && !NO_PLURALS.has(word.toLowerCase());
}
