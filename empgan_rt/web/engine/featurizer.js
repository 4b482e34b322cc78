/** Dialogues to the ids that the encoders read: `empgan_rt/text/featurizer.py`. */

import { detokenise } from "./detokenizer.js";
import { EOS, Tokenizer, UNK } from "./tokenizer.js";

export const EMOTIONS = ["neutral", "anger", "disgust", "fear", "happiness", "sadness", "surprise"];
export const UNKNOWN_LABEL = 8; // the encoder's recogniser fills it in

/** What a dialogue must not be; the message is fit to be shown. */
export class InputError extends Error {}

export class Featurizer {
  /**
   * @param {{vocabulary: string[], lowercase: boolean, emotion_words: Object<string, number>}} text
   * @param {{max_turns: number, max_tokens: number, max_emotion_words: number,
   *          max_characters: number}} limits
   */
  constructor(text, limits) {
    this.tokenizer = new Tokenizer(text.vocabulary, text.lowercase);
    this.limits = limits;
    this.emotionIds_ = new Map(Object.entries(text.emotion_words));
  }

  /** Return the ids of one turn `{text, emotion}`; throw InputError if it cannot be read. */
  turnFeatures({ text, emotion }) {
    const { max_characters, max_tokens, max_emotion_words } = this.limits;
    if (text.length > max_characters && Array.from(text).length > max_characters) {
      throw new InputError(`This is too long: shorten it to ${max_characters} characters.`);
    }
    if (/\p{Surrogate}/u.test(text)) throw new InputError("This text is damaged.");
    const words = this.tokenizer.words(text);
    if (!words.length) throw new InputError("There is no word in this.");
    const kept = words.slice(0, max_tokens);
    const emotionIds = kept
      .map(word => this.emotionIds_.get(word.toLowerCase()))
      .filter(id => id !== undefined)
      .slice(0, max_emotion_words);
    const label = EMOTIONS.indexOf(emotion) + 1;
    if (emotion && !label) throw new InputError(`There is no emotion "${emotion}".`);
    return {
      tokenIds: this.tokenizer.ids(kept),
      emotionIds: emotionIds.length ? emotionIds : [EOS],
      label: label || UNKNOWN_LABEL,
      tokensDropped: words.length - kept.length,
    };
  }

  /** Return the ids of the newest turns of a dialogue, and what the limits cut from it. */
  features(turns) {
    if (!turns.length) throw new InputError("There is no turn to answer.");
    const kept = turns.slice(-this.limits.max_turns).map(turn => this.turnFeatures(turn));
    const ids = kept.flatMap(turn => turn.tokenIds);
    return {
      turns: kept,
      turnsDropped: turns.length - kept.length,
      tokensDropped: kept.reduce((sum, turn) => sum + turn.tokensDropped, 0),
      unkRatio: ids.filter(id => id === UNK).length / ids.length,
    };
  }

  /** Return readable text; if it is not the whole, as much as later tokens cannot change. */
  textOf(tokenIds, whole = true) {
    return detokenise(this.tokenizer.wordsOf(tokenIds), whole);
  }
}
