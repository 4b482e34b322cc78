/**
 * The language that phrases of the guard are written in: `empgan_rt/guard/phrase_reader.py`.
 *
 * Only files that Python has read and found sound come here, so faults are not told apart.
 *
 * An element of a phrase is `{word, hasEnding, ways, isOptional}`: a word, a choice between ways
 * or, with neither, a gap. A way is a list of elements.
 */

export const BEGIN = "^", END = ".";
const PARTS = /\.\.\.|[()|?<>*]|[^\s()|?<>*]+/gu;

const element = given => ({ word: "", hasEnding: false, ways: [], isOptional: false, ...given });

/**
 * Return the steps of a phrase.
 *
 * @param {string} phrase
 * @param {Object<string, string[]>} lists what "<name>" stands for
 * @param {(part: string) => string[]} spelled returns the words that a part is read as
 */
export function readPhrase(phrase, lists, spelled) {
  const parts = phrase.match(PARTS);
  let place = 0;
  const takes = wanted => parts[place] === wanted && ++place > 0;

  function way() {
    const elements = [];
    while (place < parts.length && parts[place] !== "|" && parts[place] !== ")") {
      elements.push(...step());
    }
    return elements;
  }

  function step() {
    if (takes("...")) return [element({})];
    const elements = takes("(") ? group() : takes("<") ? list() : word(parts[place++]);
    return takes("?") ? [element({ ways: [elements], isOptional: true })] : elements;
  }

  function group() {
    const ways = [way()];
    while (takes("|")) ways.push(way());
    if (!takes(")")) throw new Error("a group without its end");
    return [element({ ways })];
  }

  function list() {
    const entries = lists[parts[place++]];
    if (!takes(">")) throw new Error("a list without its end");
    return [element({ ways: entries.map(entry => readPhrase(entry, lists, spelled)) })];
  }

  function word(part) {
    if (part === BEGIN || part === END) return [element({ word: part })];
    const elements = spelled(part).map(each => element({ word: each }));
    if (takes("*")) elements.at(-1).hasEnding = true;
    return elements;
  }

  return way();
}
