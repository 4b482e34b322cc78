/** The page: what its controls do. */

import { Dialogue } from "./dialogue.js";
import { startTheme } from "./theme.js";
import { open } from "./transport.js";
import { comingItem, fillFeelings, showItems, turnItem } from "./view.js";

const at = id => document.getElementById(id);
const [message, send, feeling, model] = ["message", "send", "feeling", "model"].map(at);
const acts = { onFeel: feel, onChoose: choose };
let dialogue = new Dialogue();
let transport = null;
let running = null; // AbortController of the reply that is coming

startTheme(at("theme"));
fillFeelings(feeling, "I feel …");
at("composer").addEventListener("submit", submit);
at("key-form").addEventListener("submit", useKey);
at("reset").addEventListener("click", reset);
for (const button of at("starters").children) {
  button.addEventListener("click", () => say(button.textContent));
}
message.addEventListener("input", grow);
message.addEventListener("keydown", event => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  at("composer").requestSubmit();
});
document.addEventListener("keydown", event => {
  if (event.key === "Escape") running?.abort();
});
start();

async function start(key) {
  setReady(false);
  try {
    transport = await open(progress, key);
  } catch (error) {
    progress("", null);
    at("key-form").hidden = error.constructor.name !== "KeyError";
    tell(error.message, true);
    return;
  }
  at("key-form").hidden = true;
  at("where").textContent = transport.where;
  at("facts").textContent = transport.facts;
  model.replaceChildren(...transport.models.map(name => new Option(name, name)));
  at("choose-model").hidden = transport.models.length < 2;
  progress("", null);
  setReady(true);
  message.focus();
}

function useKey(event) {
  event.preventDefault();
  start(at("key").value);
}

function submit(event) {
  event.preventDefault();
  if (running) running.abort();
  else say(message.value);
}

function say(text) {
  if (!text.trim() || running || !transport) return;
  dialogue.ask(text.trim(), feeling.value || null);
  message.value = feeling.value = "";
  grow();
  answer();
}

/** Answer the newest turn; where that fails, it goes back to where it was written. */
async function answer() {
  const asked = dialogue;
  const coming = comingItem();
  running = new AbortController();
  show();
  at("turns").append(coming.item);
  at("log").setAttribute("aria-busy", "true");
  scroll();
  tell("");
  send.textContent = "Stop";
  try {
    const { signal } = running;
    const options = { model: model.value, signal, onText: text => (coming.show(text), scroll()) };
    const reply = await transport.reply(asked.told(), options);
    if (asked === dialogue) asked.answer(reply);
  } catch (error) {
    if (asked === dialogue) takeBack(error);
  } finally {
    if (asked === dialogue) finish();
  }
}

function takeBack(error) {
  const { text, emotion } = dialogue.takeBack();
  message.value ||= text;
  feeling.value ||= emotion ?? "";
  grow();
  if (error.name === "AbortError") tell("Stopped.");
  else tell(error.message, true);
}

function finish() {
  running = null;
  send.textContent = "Send";
  show();
  at("log").setAttribute("aria-busy", "false");
  scroll();
}

/** Set the emotion of a turn by hand; the newest reply is made anew if it rests on it. */
function feel(turn, emotion) {
  if (running) return show();
  turn.emotion = emotion;
  if (dialogue.turns.at(-2) !== turn) return show();
  dialogue.takeBack();
  answer();
}

function choose(place) {
  if (running) return;
  dialogue.choose(place);
  show();
  message.focus();
}

function reset() {
  running?.abort();
  dialogue = new Dialogue();
  at("turns").replaceChildren(); // what is shown acts on turns of the old one
  finish();
  tell("A new dialogue.");
  message.focus();
}

function show() {
  const { turns } = dialogue;
  at("intro").hidden = turns.length > 0;
  const items = turns.map((turn, place) => turnItem(turn, place === turns.length - 1, acts));
  showItems(at("turns"), items);
}

function scroll() {
  at("log").scrollTop = at("log").scrollHeight;
}

function grow() {
  message.rows = Math.min(8, message.value.split("\n").length);
}

function setReady(isReady) {
  message.disabled = send.disabled = !isReady;
  for (const button of at("starters").children) button.disabled = !isReady;
}

function progress(text, share) {
  tell(text && share !== null ? `${text}: ${Math.round(share * 100)} %` : text);
  at("progress").hidden = share === null;
  if (share !== null) at("progress").value = share;
}

function tell(text, isWrong = false) {
  at("status").textContent = text;
  at("status").classList.toggle("wrong", isWrong);
}
