/** The dialogue on the page: what was said, and what of it the model is told. */

export const EMOTIONS = ["neutral", "anger", "disgust", "fear", "happiness", "sadness", "surprise"];
const NEWEST = 200; // turns that are sent at most; models read fewer

/**
 * One turn on the page.
 *
 * @typedef {object} Turn
 * @property {"user"|"model"} speaker
 * @property {string} text
 * @property {?string} emotion as its speaker gave it
 * @property {?{label: string, probability: number}} heard what the model took it for, if it did
 * @property {object[]} others the alternatives of a reply
 * @property {"model"|"guard"} source who spoke, in a reply
 * @property {boolean} isForgotten whether the model is never told of it
 */

export class Dialogue {
  constructor() {
    /** @type {Turn[]} */
    this.turns = [];
  }

  /** Add what the user says. */
  ask(text, emotion) {
    this.turns.push(turn("user", text, emotion));
  }

  /** Return the turns as they are sent, oldest first. */
  told() {
    return this.known_().map(({ text, emotion }) => (emotion ? { text, emotion } : { text }));
  }

  /** Add the reply to the newest turn, and what the model took the turns before it for. */
  answer(reply) {
    const read = this.known_().slice(-reply.emotions.length || Infinity);
    reply.emotions.forEach((heard, at) => {
      if (!heard.given) read[at].heard = heard;
    });
    const said = turn("model", reply.text, null);
    said.others = reply.alternatives;
    said.source = reply.source;
    said.isForgotten = !reply.text; // a turn without words is refused
    if (reply.verdict?.action === "block") said.isForgotten = this.turns.at(-1).isForgotten = true;
    this.turns.push(said);
  }

  /** Let another alternative take the place of the newest reply. */
  choose(place) {
    const said = this.turns.at(-1);
    const { text, others } = said;
    said.text = others[place].text;
    said.others = others.with(place, { ...others[place], text });
  }

  /** Take the newest turn back; return it. */
  takeBack() {
    return this.turns.pop();
  }

  /** Return the newest turns that the model is told of. */
  known_() {
    return this.turns.filter(each => !each.isForgotten).slice(-NEWEST);
  }
}

function turn(speaker, text, emotion) {
  return { speaker, text, emotion, heard: null, others: [], source: "model", isForgotten: false };
}
