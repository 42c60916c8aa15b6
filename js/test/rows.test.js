/** Which rows a transcript shows, and which of them are on the page. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Log } from "../src/log/log.js";
import { CHUNK, FOLLOWED, newer, newest, older, Rows, WINDOW } from "../src/log/rows.js";
import { demo } from "./demo.js";

function rows(filter) {
  const log = new Log();
  log.apply(demo());
  const made = new Rows(log);
  made.refilter(filter);
  return made.all.map(({ seq }) => seq);
}

test("without a filter every message and event is a row", () => {
  assert.deepEqual(rows({}), [5, 7, 9, 11, 13, 15, 16]);
});

test("an agent's rows are what it sent and what reached it", () => {
  assert.deepEqual(rows({ agent: "b" }), [7, 9, 13]);
  assert.deepEqual(rows({ agent: "c" }), [9, 11, 15]);
});

test("a chat's rows are its messages alone", () => {
  assert.deepEqual(rows({ chat: "g" }), [9, 13]);
});

test("an inbox holds what others said to somebody", () => {
  assert.deepEqual(rows({ person: "a" }), [5, 13]);
});

test("a search finds in the texts that are here and in those that the whole log was asked for", () => {
  assert.deepEqual(rows({ search: "HELLO" }), [7, 9]);
  assert.deepEqual(rows({ search: "hello", found: new Set([15]) }), [7, 9, 15]);
  assert.deepEqual(rows({ search: "hello", chat: "g" }), [9]);
});

test("rows grow with the log, and as of a seq there are fewer", () => {
  const log = new Log();
  log.apply(demo());
  const made = new Rows(log);
  log.apply({ messages: [[20, "m-6", 6000, "a", "b", null, "More", 4]] });
  assert.equal(made.grow(), false);
  assert.equal(made.all.length, 8);
  assert.equal(made.messages, 6);
  assert.equal(made.total(9), 3);
  log.apply({ messages: [[18, "m-late", 5500, "a", "b", null, "Late", 4]] });
  assert.equal(made.grow(), true);
  assert.deepEqual(made.all.map(({ seq }) => seq).slice(-2), [18, 20]);
});

test("the window never holds more than its size, whichever way somebody scrolls", () => {
  assert.ok(WINDOW <= 500);
  let span = newest(1000);
  assert.deepEqual(span, { start: 1000 - FOLLOWED, end: 1000 });
  for (let i = 0; i < 20; i++) {
    span = older(span);
    assert.ok(span.end - span.start <= WINDOW && span.start >= 0);
  }
  assert.deepEqual(span, { start: 0, end: WINDOW });
  span = newer(span, 1000);
  assert.deepEqual(span, { start: CHUNK, end: WINDOW + CHUNK });
  for (let i = 0; i < 20; i++) span = newer(span, 1000);
  assert.deepEqual(span, { start: 1000 - WINDOW, end: 1000 });
  assert.deepEqual(newest(5), { start: 0, end: 5 });
});
