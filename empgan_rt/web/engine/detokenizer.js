/**
 * Words back to readable text: `empgan_rt/text/detokenizer.py`, rule for rule.
 *
 * The text of a prefix is a prefix of the text, so a streamed reply never takes a character back.
 */

const CLITICS = new Set(
  ["'s", "'m", "'d", "'re", "'ve", "'ll", "n't"].flatMap(form => [form, form.toUpperCase()]),
);
const JOINS_LEFT = new Set(",!?;:)]}%°…/");
const JOINS_RIGHT = new Set("([{$£¥#/");
const ENDS_SENTENCE = new Set([".", "!", "?", "..."]);
const TRANSPARENT = new Set("\"'([{)]}");
const QUOTES = new Set("\"'");
const DOMAINS = new Set(["com", "edu", "gov", "net", "org"]);
const NO_PLURALS = new Set(["as", "is", "means", "says", "was", "yes"]);

const isAlphabetic = text => /^\p{L}+$/u.test(text);
const isAlphanumeric = text => /^[\p{L}\p{N}]+$/u.test(text);
const isDigits = text => /^[\p{Nd}\u00b2\u00b3\u00b9\u2070-\u2089]+$/u.test(text);
const isDots = text => /^\.*$/.test(text);
const last = text => Array.from(text).at(-1);

/** Return readable text for the words of a reply. */
export function detokenise(words) {
  const pieces = [];
  const openQuotes = new Set();
  let beforeLast = "", lastWord = "";
  let opened = false; // whether the last word is an opening quote
  let initials = 0; // of "U.S." so far
  let startsSentence = true;
  for (let word of words) {
    const closes = openQuotes.has(word);
    const possesses = word === "'" && !closes && isPlural(lastWord);
    const isInitial = /^\p{Uppercase}$/u.test(word) && word !== "I";
    const inInitials = initials > 0 && lastWord === "." && isInitial;
    const glued = !lastWord || opened || closes || possesses || inInitials;
    if (!glued && !joins(beforeLast, lastWord, word)) pieces.push(" ");
    opened = QUOTES.has(word) && !(closes || possesses);
    if (closes) openQuotes.delete(word);
    else if (opened) openQuotes.add(word);
    if (isInitial) initials = inInitials ? initials + 1 : 1;
    else if (word !== ".") initials = 0;
    if (word === "i") word = "I";
    const first = Array.from(word)[0];
    if (startsSentence && isAlphabetic(first) && !endsAddress(beforeLast, lastWord, word)) {
      word = first.toUpperCase() + word.slice(first.length);
    }
    pieces.push(word);
    if (ENDS_SENTENCE.has(word)) startsSentence = initials < 2;
    else if (!TRANSPARENT.has(word)) startsSentence = false;
    [beforeLast, lastWord] = [lastWord, word];
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
  return (
    JOINS_LEFT.has(word) ||
    JOINS_RIGHT.has(lastWord) ||
    ((word === "s" || word === "k") && isDigits(lastWord)) || // "the 90s"
    (lastWord === "<" && word === "3") ||
    endsAddress(beforeLast, lastWord, word)
  );
}

function isPlural(word) {
  return isAlphabetic(word) && /[sS]$/.test(word) && !NO_PLURALS.has(word.toLowerCase());
}

/** Return whether a word goes on after the full stop in "www.example.com". */
function endsAddress(beforeLast, lastWord, word) {
  return (
    lastWord === "." &&
    (beforeLast === "www" || (isAlphanumeric(beforeLast) && DOMAINS.has(word)))
  );
}
