/**
 * Words that belong to one name (addresses, files, "e.g.", "C++"): `empgan_rt/text/names.py`.
 *
 * Each word is given a kind, a single letter, so that names are found by regular expressions over
 * the kinds.
 */

export const isAlphabetic = text => /^\p{L}+$/u.test(text);
export const isAlphanumeric = text => /^[\p{L}\p{N}]+$/u.test(text);
export const isDigits = text => /^[\p{Nd}\u00b2\u00b3\u00b9\u2070-\u2089]+$/u.test(text);
export const isCapital = letter => /^\p{Uppercase}$/u.test(letter);
export const firstOf = text => String.fromCodePoint(text.codePointAt(0));

const KINDS = new Map([
  ...Array.from(".@+#&:-)", mark => [mark, mark]),
  [";", ":"], ["=", ":"], ["(", ")"], ["www", "w"],
  ...kinds("t", "au biz ca cn com de edu eu fr gov io jp net org uk"),
  ...kinds("c", "ac co"),
  ...kinds("f", "csv docx exe html jpg json pdf png pptx py txt xlsx xml"),
  ...kinds("h", "http https"),
  ...kinds("p", "ph Ph PH"),
]);

function kinds(kind, words) {
  return words.split(" ").map(word => [word, kind]);
}

const LABEL = "[acfhpstwyAU]";
const PART = `${LABEL}[d_]*`; // "Tom861", "worker_1"
const END = String.raw`(?:\.c)?\.t(?:\.t)?`; // ".org", ".co.uk"
const NAME = new RegExp(
  [
    String.raw`(?<address>(?:${PART}\.)?${PART}@${LABEL}(?:\.${LABEL}){0,2}?${END}`,
    String.raw`(?:w\.)?(?:${LABEL}\.(?![AU]))?(?:${LABEL}|d)${END}`,
    String.raw`w\.(?:${LABEL}|d)`,
    String.raw`${PART}\.f`,
    "h)",
    String.raw`(?<abbreviation>s\.(?:s\.)+|p\.[sU]\.?)`,
    String.raw`(?<signs>${LABEL}\+\+|U#|U&U)`,
    String.raw`(?<face>:-?\))`,
  ].join("|"),
  "g",
);
const OPEN = new RegExp(
  String.raw`(?:(?:${PART}|d)(?:[.@](?:${PART}|d))*[.@]?|${LABEL}\+|U&|:-?)$`,
);

/** Return a letter for each word, which says what it may be in a name. */
export function kindsOf(words) {
  return words.map(kindOf).join("");
}

/** Return where each name begins and ends, and what it is: the group that it matches. */
export function namesIn(kinds) {
  return Array.from(kinds.matchAll(NAME), ({ 0: name, index, groups }) => ({
    begin: index,
    end: index + name.length,
    kind: Object.keys(groups).find(group => groups[group] !== undefined),
  }));
}

/** Return where those last words begin that may yet be of a name; how many there are if none. */
export function openName(kinds) {
  const found = OPEN.exec(kinds);
  return found ? found.index : kinds.length;
}

function kindOf(word) {
  const known = KINDS.get(word);
  if (known) return known;
  if (word[0] === "_") return "_";
  if (isDigits(word)) return "d";
  if (word === "m") return " "; // "a.m" is one word
  if (isAlphabetic(word)) {
    const letters = Array.from(word);
    if (letters.length <= 2 && letters.every(isCapital) && word !== "I") return "U";
    if (isCapital(letters[0])) return "A";
    return letters.length === 1 ? "s" : "a";
  }
  return isAlphabetic(firstOf(word)) && isAlphanumeric(word.replaceAll("-", "")) ? "y" : " ";
}
