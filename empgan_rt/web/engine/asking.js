/** A guard's verdict, or one that says no for a guard that fails: `empgan_rt/guard/asking.py`. */

const FAILED_TEXT = "I am sorry, I cannot answer that now.";

/** Return the verdict on the newest message; a refusal if the guard fails. */
export function inputVerdict(guard, turns) {
  return asked(() => guard.checkInput(turns));
}

/** Return the verdict on the model's replies; a refusal if the guard fails. */
export function replyVerdict(guard, turns, candidates) {
  return asked(() => guard.checkReply(turns, candidates));
}

function asked(question) {
  try {
    return question();
  } catch (error) {
    const message = "the guard raised, or gave no verdict";
    return { action: "block", text: FAILED_TEXT, category: "guard_failed", rule: error.name, message };
  }
}
