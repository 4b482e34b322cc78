/** What is seen of a dialogue. Text of users and models only ever becomes text nodes. */

import { EMOTIONS } from "./dialogue.js";

/**
 * Return a list item for one turn.
 *
 * @param {import("./dialogue.js").Turn} turn
 * @param {boolean} isNewest whether nothing was said since
 * @param {{onFeel: (turn: object, emotion: ?string) => void, onChoose: (place: number) => void}} acts
 */
export function turnItem(turn, isNewest, acts) {
  const item = element("li", `turn ${turn.speaker}`);
  item.classList.toggle("by-guard", turn.source === "guard");
  item.classList.toggle("forgotten", turn.isForgotten && turn.speaker === "user");
  const who = turn.speaker === "user" ? "You: " : turn.source === "guard" ? "Guard: " : "Model: ";
  const said = element("p", "said");
  said.append(element("span", "unseen", who), turn.text || "(nothing)");
  const below = element("div", "below");
  if (turn.source === "guard") below.append("The guard says this, not the model.");
  if (turn.isForgotten && turn.speaker === "user") below.append("The model is not told this.");
  const isKnown = turn.heard || turn.emotion; // it is not while the reply is coming
  if (isKnown && turn.speaker === "user") below.append(emotionChoice(turn, acts.onFeel));
  else if (isKnown) below.append(emotionLabel(turn.heard));
  item.append(said, below);
  if (isNewest && turn.others.length) addOthers(item, below, turn.others, acts.onChoose);
  return item;
}

/** Make a list hold these items. What looks the same stays, so that it is not read aloud again. */
export function showItems(list, items) {
  while (list.children.length > items.length) list.lastChild.remove();
  items.forEach((item, place) => {
    const old = list.children[place];
    if (!old) {
      list.append(item);
      return;
    }
    old.className = item.className;
    const parts = [...item.children];
    parts.forEach((part, at) => {
      const before = old.children[at];
      if (!before) old.append(part);
      else if (!before.isEqualNode(part)) before.replaceWith(part);
    });
    while (old.children.length > parts.length) old.lastChild.remove();
  });
}

/** Return a list item for a reply that is coming, and how to change its text. */
export function comingItem() {
  const item = element("li", "turn model");
  const said = element("p", "said");
  const text = element("span", "waiting");
  said.append(element("span", "unseen", "Model: "), text);
  item.append(said);
  return { item, show: words => (text.textContent = words) };
}

/** Fill the choice of what the user feels with its options. */
export function fillFeelings(select, recognised) {
  const options = EMOTIONS.map(name => new Option(capital(name), name));
  select.replaceChildren(new Option(recognised, ""), ...options);
}

/** Return the emotion of a user's turn, which can be set by hand. */
function emotionChoice(turn, onFeel) {
  const { heard, emotion } = turn;
  const label = element("label", "emotion");
  label.dataset.emotion = emotion ?? heard?.label ?? "";
  const select = element("select");
  fillFeelings(select, heard ? shown(heard) : "not given");
  select.value = emotion ?? "";
  for (const option of select.options) if (option.value) option.text = `given: ${option.value}`;
  select.addEventListener("change", () => onFeel(turn, select.value || null));
  label.append(element("span", "unseen", "Emotion of this turn"), select);
  return label;
}

function emotionLabel(heard) {
  const label = element("span", "emotion", shown(heard));
  label.dataset.emotion = heard.label;
  return label;
}

function shown({ label, probability }) {
  return `${label} ${Math.round(probability * 100)} %`;
}

/** Add the alternatives of a reply, one click away. */
function addOthers(item, below, others, onChoose) {
  const list = element("ol", "others");
  list.hidden = true;
  list.append(
    ...others.map(({ text }, place) => {
      const choice = element("button", "", text || "(nothing)");
      choice.type = "button";
      choice.addEventListener("click", () => onChoose(place));
      const entry = element("li");
      entry.append(choice);
      return entry;
    }),
  );
  const opener = element("button", "plain", `${others.length} other ${others.length === 1 ? "reply" : "replies"}`);
  opener.type = "button";
  opener.setAttribute("aria-expanded", "false");
  opener.addEventListener("click", () => {
    list.hidden = !list.hidden;
    opener.setAttribute("aria-expanded", String(!list.hidden));
    if (!list.hidden) list.scrollIntoView({ block: "nearest" });
  });
  below.append(opener);
  item.append(list);
}

function element(name, className = "", text = "") {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

function capital(word) {
  return word[0].toUpperCase() + word.slice(1);
}
