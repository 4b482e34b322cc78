/** What may not follow the tokens of a row: `empgan_rt/search/ngram.py` and `text/bans.py`. */

/** Return the tokens that would complete an n-gram which the row already holds; n = 0 is off. */
export function repeatedNgramEnds(tokens, n) {
  if (!n) return [];
  const newest = tokens.slice(tokens.length - n + 1);
  const ends = new Set();
  for (let start = 0; start + n <= tokens.length; start++) {
    if (newest.every((token, at) => tokens[start + at] === token)) ends.add(tokens[start + n - 1]);
  }
  return ends;
}

/**
 * Return the tokens that would complete a banned phrase.
 *
 * @param {number[]} tokens of a row
 * @param {Object<string, {ids: number[], longer: number[][][]}>} ends what may not follow a token:
 *   ends of phrases of two places, and longer phrases, for each place the ids that may stand there
 */
export function bannedPhraseEnds(tokens, ends) {
  const after = tokens.length ? ends[tokens.at(-1)] : undefined;
  if (!after) return [];
  const found = [...after.ids];
  for (const phrase of after.longer) {
    const earlier = phrase.slice(0, -1);
    const told = tokens.slice(-earlier.length);
    const isThere = told.length === earlier.length && told.every((id, at) => earlier[at].includes(id));
    if (isThere) found.push(...phrase.at(-1));
  }
  return found;
}
