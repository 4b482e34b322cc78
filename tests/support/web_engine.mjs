// Runs the browser's engine on what a test sends: one JSON object in, one out.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const { engine, page, task, given } = JSON.parse(readFileSync(0, "utf-8"));
const load = name => import(pathToFileURL(`${engine}/${name}.js`));
const { detokenise } = await load("detokenizer");
const { Featurizer } = await load("featurizer");
const { BeamSearch } = await load("search");
const { WordGuard } = await load("word_guard");
const { events } = await import(pathToFileURL(`${page}/events.js`));

/** Search with a model whose log-probabilities rest on the last token alone. */
function searched({ table, config, bans }) {
  const search = new BeamSearch(config, bans, table.length);
  const prefixes = [];
  while (!search.isFinished) {
    const rows = search.banned().map((banned, row) => {
      const struck = new Set(banned);
      const logProbs = table[search.tokenIds[row]].map((p, id) => (struck.has(id) ? -1e4 : p));
      const ids = [...logProbs.keys()].sort((a, b) => logProbs[b] - logProbs[a]);
      return ids.slice(0, search.numCandidates).map(id => ({ id, logProb: logProbs[id] }));
    });
    const best = rows.flat();
    search.advance(best.map(each => each.id), best.map(each => each.logProb));
    prefixes.push(search.sharedPrefix());
  }
  return { found: search.results(), prefixes };
}

/** Return the events of a stream that comes in these pieces, numbers of bytes. */
async function read(pieces) {
  const body = new ReadableStream({
    start(stream) {
      for (const piece of pieces) stream.enqueue(Uint8Array.from(piece));
      stream.close();
    },
  });
  const found = [];
  for await (const event of events(body)) found.push(event);
  return found;
}

const tasks = {
  texts: ({ replies, whole }) => replies.map(words => detokenise(words, whole)),
  words: ({ text, limits, texts }) => {
    const { tokenizer } = new Featurizer(text, limits);
    return texts.map(each => tokenizer.words(each));
  },
  features: ({ text, limits, dialogues }) => {
    const featurizer = new Featurizer(text, limits);
    return dialogues.map(turns => {
      try {
        return featurizer.features(turns);
      } catch (error) {
        return { refused: error.message };
      }
    });
  },
  events: streams => Promise.all(streams.map(read)),
  searches: searches => searches.map(searched),
  verdicts: ({ words, dialogues, replies }) => {
    const guard = new WordGuard(words);
    return [
      dialogues.map(turns => guard.checkInput(turns)),
      replies.map(({ turns, texts }) => guard.checkReply(turns, texts)),
    ];
  },
};
process.stdout.write(JSON.stringify(await tasks[task](given)));
