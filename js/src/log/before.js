/** What lies before the first row that came: sums of it, so that everything is counted right without its rows. No DOM. */

/**
 * @typedef {import("../wire/facts.js").BeforeRow} BeforeRow
 * @typedef {{runs: number, steps: number, tokens: number, bills: {usd: number|null, steps: number}[], sent: number,
 *   received: number, failed: boolean}} Sums of one member
 * @typedef {{seq: number, upto: number, messages: number, runs: number, agents: Map<string, Sums>,
 *   edges: import("./edges.js").Edge[], waiting: BeforeRow["waiting"], when: BeforeRow["when"]}} Before
 */

/** @param {BeforeRow} row @returns {Before} */
export function beforeOf({ seq, upto, messages, agents, edges, waiting, when }) {
  const sums = new Map(agents.map(([id, ...of]) => [id, sumsOf(of)]));
  const runs = [...sums.values()].reduce((total, one) => total + one.runs, 0);
  return { seq, upto, messages, runs, agents: sums, edges: edges.map(edgeOf), waiting, when };
}

/** @param {BeforeRow["edges"][number]} row */
const edgeOf = ([from, to, direct, group, last]) => ({ from, to, direct, group, last });

/** @param {import("../wire/facts.js").SumRow} row @returns {Sums} */
function sumsOf([runs, steps, tokens, usd, unpriced, priced, sent, received, failed]) {
  const bills = [];
  if (priced) bills.push({ usd, steps: 1 });
  if (unpriced) bills.push({ usd: null, steps: 1 });
  return { runs, steps, tokens, bills, sent, received, failed };
}

/** What each part of the past held: how much, and from when to when. @param {Before|null} before @param {"said"|"ran"} what */
export function* spots(before, what) {
  const when = before?.when;
  if (!when) return;
  const length = (when.to - when.from) / when.parts;
  for (const [id, parts] of Object.entries(when[what])) {
    for (const [part, count] of parts) yield { id, from: when.from + part * length, to: when.from + (part + 1) * length, count };
  }
}
