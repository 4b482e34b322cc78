// What every probe in JavaScript is given, and how it tells what it saw; as probe.py.
export const given = JSON.parse(process.argv[2]);
export const messages = [
  { role: "system", content: "Be kind." },
  { role: "user", content: given.said },
];
export const LONG = { max_tokens: 200, ignore_eos: true }; // what keeps a server busy
export const AT_ONCE = { "x-request-timeout": "0.000001" }; // over when it is read
export const PATIENCE = 300; // times that a client asks again, on however slow a machine
const CROWD = 48;

export function expect(found, wanted) {
  if (found !== wanted) throw new Error(`${JSON.stringify(found)} instead of ${JSON.stringify(wanted)}`);
}

export function same(text) {
  expect(text, given.reply);
  return "the reply";
}

export async function patience(ask) {
  const before = await refused(given.busy_url, 429);
  const answers = await Promise.all(Array.from({ length: CROWD }, ask));
  expect(answers.every(Boolean), true);
  if ((await refused(given.busy_url, 429)) === before) throw new Error("nobody was refused");
  return "all answered";
}

// A deadline that is over is not to be asked for again; some clients do.
export async function asked(times, ask) {
  const before = await refused(given.url, 504);
  const told = await raised(ask);
  expect((await refused(given.url, 504)) - before, times);
  return `${told}, asked ${times === 1 ? "once" : `${times} times`}`;
}

async function refused(url, status) {
  const headers = { authorization: `Bearer ${given.key}` };
  const page = await (await fetch(`${url}/metrics`, { headers })).text();
  const lines = page.split("\n").filter((line) => line.startsWith("empgan_request_refused_total{"));
  const counts = lines.filter((line) => line.includes(`status="${status}"`));
  return counts.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

export async function raised(ask, status) {
  let answer;
  try {
    answer = await ask();
  } catch (error) {
    if (status !== undefined) expect(error.status ?? error.statusCode, status);
    return error.constructor.name;
  }
  throw new Error(`no error, but ${JSON.stringify(answer)}`);
}

export async function tell(asked) {
  for (const [name, ask] of Object.entries(asked)) {
    let happened, isRight;
    try {
      [happened, isRight] = [await ask(), true];
    } catch (error) {
      [happened, isRight] = [`${error.constructor.name}: ${error.message}`, false];
    }
    console.log(JSON.stringify({ asked: name, happened, is_right: isRight }));
  }
}
