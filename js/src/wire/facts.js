/**
 * What comes over the wire, each thing described once. Most facts come as rows, by position, in the order of
 * views/feed.py and views/before.py; the readers at the end give them names, and nothing else knows a position.
 *
 * @typedef {{id: string, name: string, kind: "agent"|"person", description: string, mission: string,
 *   colour: string, seq: number, model: string|null, team?: string|null}} Agent
 * @typedef {{id: string, name: string, description: string, admin: string, seq: number}} Chat
 * @typedef {{chat: string, agent: string, joined: number, left: number|null}} Membership
 * @typedef {{seq: number, id: string, at: number, from: string|null, to: string, run: string|null,
 *   text: string|null, length: number, event: null}} Message
 * @typedef {{seq: number, event: string, agent: string|null, text: string, at: number, data: string|null}} Happening data:
 *   what was changed, as JSON
 * @typedef {Message|Happening} Line a row of the transcript
 * @typedef {{id: string, agent: string, beganSeq: number, beganAt: number, endedSeq: number|null,
 *   endedAt: number|null, reason: string|null, tokens: number, usd: number|null, steps: number}} Run
 *
 * @typedef {[chat: string, agent: string, joined: number, left: number|null]} MembershipRow
 * @typedef {[seq: number, id: string, at: number, from: string|null, to: string, run: string|null,
 *   text: string|null, length: number]} MessageRow
 * @typedef {[seq: number, kind: string, agent: string|null, text: string, at: number, data?: string|null]} EventRow
 * @typedef {[id: string, agent: string, beganSeq: number, beganAt: number, endedSeq: number|null,
 *   endedAt: number|null, reason: string|null, tokens: number, usd: number|null, steps: number]} RunRow
 * @typedef {[seq: number, text: string]} TextRow
 * @typedef {{agents?: Agent[], chats?: Chat[], memberships?: MembershipRow[], messages?: MessageRow[],
 *   runs?: RunRow[], events?: EventRow[]}} Facts
 *
 * @typedef {[runs: number, steps: number, tokens: number, usd: number, unpriced: number, priced: number, sent: number,
 *   received: number, failed: boolean]} SumRow usd: of the priced runs; failed: its last run by then
 * @typedef {{seq: number, upto: number, messages: number, agents: [id: string, ...SumRow][],
 *   edges: [from: string, to: string, direct: number, group: number, last: number][],
 *   waiting: [agent: string, until: number|null, count: number][],
 *   when: {from: number, to: number, parts: number, said: Record<string, [part: number, count: number][]>,
 *   ran: Record<string, [part: number, count: number][]>}|null}} BeforeRow sums of everything before seq, made when the log
 *   had reached upto; waiting: mail that was not taken by then, and where it was; when: time, cut into parts
 *
 * @typedef {"runs"|"messages"|"tokens"|"usd"|"seconds"} Measure
 * @typedef {Partial<Record<Measure, number|null>>} Amounts null: a price that is unknown, or no limit
 * @typedef {{name: string, state: string, status: string, reason?: string|null, notice?: string|null,
 *   spent?: Amounts, limits?: Amounts}} Service
 * @typedef {{text: string, to?: string, tool?: string}} Writing the end of what a model has written of an answer so far
 * @typedef {{status: string, unread: number, paused: boolean, writing?: Writing}} Doing
 * @typedef {{service?: Service|null, agents?: Record<string, Doing>, people?: string[]}} Live what a service says of itself
 *
 * @typedef {{type?: string, name?: string|null, arguments?: unknown, output?: unknown, text?: unknown}} Item
 * @typedef {{texts: {texts: TextRow[]}, text: {text: string}, search: {seqs: number[]}, run: {items: Item[]},
 *   conversation: {items: Item[]}, older: {facts: Facts, before: BeforeRow|null}, do: {ok: boolean, sentence?: string}}} Answers by what was asked for
 * @typedef {(sentence: string) => void} Slow is told why an answer takes its time
 *
 * @typedef {{reset?: boolean, agents?: boolean, messages?: boolean, texts?: boolean, runs?: boolean,
 *   live?: boolean, reordered?: boolean, gone?: boolean}} Change what the facts that came have changed
 *
 * @typedef {object} Source where facts come from and questions go to
 * @property {import("../log/log.js").Log} log
 * @property {boolean} live whether a service is behind it
 * @property {boolean} gone
 * @property {(what: "run"|"conversation"|"do") => boolean} can
 * @property {(told: (change: Change) => void) => () => void} onFacts
 * @property {(view: string) => void} hello
 * @property {(view: string, visible: boolean) => void} visible
 * @property {(view: string) => void} bye
 * @property {<What extends keyof Answers>(what: What, given?: Record<string, unknown>, slow?: Slow) => Promise<Answers[What]>} ask
 * @property {() => void} close
 */

/** @param {MembershipRow} row @returns {Membership} */
export const membershipOf = ([chat, agent, joined, left]) => ({ chat, agent, joined, left });

/** @param {MessageRow} row @returns {Message} */
export const messageOf = ([seq, id, at, from, to, run, text, length]) => ({ seq, id, at, from, to, run, text, length, event: null });

/** @param {EventRow} row @returns {Happening} */
export const happeningOf = ([seq, kind, agent, text, at, data]) => ({ seq, event: kind, agent, text, at, data: data ?? null });

/** @param {RunRow} row @returns {Run} */
export const runOf = ([id, agent, beganSeq, beganAt, endedSeq, endedAt, reason, tokens, usd, steps]) => ({
  id, agent, beganSeq, beganAt, endedSeq, endedAt, reason, tokens, usd, steps,
});

/** @param {TextRow} row */
export const textOf = ([seq, text]) => ({ seq, text });
