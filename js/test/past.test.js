/** What each agent was doing as of a moment. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Log } from "../src/log/log.js";
import { agentStates, Inbox, unreadAt } from "../src/log/past.js";
import { demo } from "./demo.js";

function log() {
  const made = new Log();
  made.apply(demo());
  return made;
}

test("a run in progress thinks, mail waits, a failed run says so", () => {
  const at = (seq) => Object.fromEntries([...agentStates(log(), seq)].map(([id, { status }]) => [id, status]));
  assert.deepEqual(at(7), { a: "thinking", b: "waiting", c: "idle", d: "idle" });
  assert.equal(at(14).b, "failed");
  assert.equal(at(Infinity).a, "thinking");
  assert.equal(at(5).a, "waiting");
});

test("unread is what came after the last run began", () => {
  assert.deepEqual([...unreadAt(log(), 9)], [["b", 2], ["c", 1]]);
  assert.equal(unreadAt(log(), 13).get("b"), undefined);
  assert.equal(unreadAt(log(), 13).get("a"), 1);
});

test("runs and tokens are those begun by then", () => {
  assert.equal(agentStates(log(), 11).get("a").runs, 1);
  assert.equal(agentStates(log(), 11).get("a").tokens, 100);
  assert.equal(agentStates(log()).get("a").tokens, 110);
});

test("what a running service says of itself comes first", () => {
  const made = log();
  const live = { service: { name: "x" }, agents: { d: { status: "waiting for the rate limit", unread: 3, paused: true } }, people: [] };
  made.apply({}, { live });
  const state = agentStates(made).get("d");
  assert.deepEqual([state.status, state.unread, state.paused], ["waiting for the rate limit", 3, true]);
  assert.equal(agentStates(made, 9).get("d").status, "idle");
});

test("an inbox counts what came since somebody wrote or looked", () => {
  const made = log();
  const inbox = new Inbox(made);
  assert.equal(inbox.count("c"), 2);
  assert.equal(inbox.count("c", 9), 1);
  assert.equal(inbox.count("b"), 0); // b answered in the group
  made.apply({ messages: [[20, "m-6", 6000, "a", "b", null, "More", 4]] });
  assert.equal(inbox.count("b"), 1);
});
