/** The wire to the kernel, and the parts of a shared page. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { PageSource } from "../src/wire/page_source.js";
import { GONE, KernelSource } from "../src/wire/source.js";
import { Texts } from "../src/log/texts.js";
import { demo } from "./demo.js";

function kernel() {
  const sent = [];
  const heard = new Map();
  const model = {
    get: (name) => ({ live: true })[name],
    send: (content) => sent.push(content),
    on: (name, told) => heard.set(name, told),
    off: (name) => heard.delete(name),
  };
  const source = new KernelSource(model);
  return { source, sent, say: (content) => heard.get("msg:custom")(content), lose: () => heard.get("comm:close")(), heard };
}

test("a second view of the same widget asks only for what is new", () => {
  const { source, sent, say } = kernel();
  source.hello("one");
  say({ kind: "facts", n: 1, reset: true, facts: demo(), live: null });
  source.hello("two");
  assert.deepEqual(sent.map(({ view, seq }) => [view, seq]), [["one", 0], ["two", 16]]);
});

test("visible is told when it changes, and bye once", () => {
  const { source, sent } = kernel();
  source.hello("one");
  source.visible("one", true);
  source.visible("one", false);
  source.visible("one", false);
  source.bye("one");
  source.bye("one");
  assert.deepEqual(sent.map(({ kind }) => kind), ["hello", "visible", "bye"]);
});

test("an answer finds its question; an error is its sentence", async () => {
  const { source, sent, say } = kernel();
  const text = source.ask("text", { seq: 5 });
  const search = source.ask("search", { text: "x" });
  say({ kind: "answer", id: sent[1].id, error: "no such text" });
  say({ kind: "answer", id: sent[0].id, text: "whole" });
  say({ kind: "answer", id: 99 });
  assert.equal((await text).text, "whole");
  await assert.rejects(search, /no such text/);
});

test("when the kernel is gone, what is open and what follows ends with one sentence", async () => {
  const { source, sent, lose } = kernel();
  const open = source.ask("text", { seq: 5 });
  lose();
  await assert.rejects(open, new Error(GONE));
  await assert.rejects(source.ask("text"), new Error(GONE));
  assert.equal(source.can("do"), false);
  source.visible("one", false);
  assert.equal(sent.length, 1);
});

test("a lost batch is asked for again, from the last seq before it", () => {
  const { source, sent, say } = kernel();
  source.hello("one");
  say({ kind: "facts", n: 1, reset: true, facts: demo(), live: null });
  say({ kind: "facts", n: 3, reset: false, facts: { messages: [[30, "m-9", 9, "a", "b", null, "x", 1]] }, live: null });
  assert.deepEqual(sent.at(-1), { kind: "hello", view: "one", seq: 16, visible: true });
});

test("missing texts are asked for in ranges, and once", async () => {
  const { source, sent, say } = kernel();
  const messages = Array.from({ length: 700 }, (_, i) => [i + 1, `m-${i}`, i, "a", "b", null, null, 3]);
  say({ kind: "facts", n: 1, reset: true, facts: { messages }, live: null });
  const texts = new Texts(source);
  texts.want(source.log.messages);
  texts.want(source.log.messages);
  assert.deepEqual(sent.map(({ from, to }) => [from, to]), [[1, 500], [501, 700]]);
  say({ kind: "answer", id: sent[0].id, texts: [[1, "one"]] });
  await new Promise(setImmediate);
  assert.equal(source.log.message(1).text, "one");
});

test("a shared page unpacks the part that is asked for", async () => {
  const texts = [[5, "Begin"], [7, "Hello <b>"], [9, "Hello all"]];
  const part = { getAttribute: (name) => ({ "data-from": "5", "data-to": "9" })[name], textContent: gzipSync(JSON.stringify(texts)).toString("base64") };
  const facts = demo();
  facts.messages.forEach((row) => (row[6] = null));
  const source = new PageSource({
    querySelector: () => ({ textContent: JSON.stringify(facts).replaceAll("<", "\\u003c") }),
    querySelectorAll: () => [part],
  });
  assert.deepEqual((await source.ask("texts", { from: 6, to: 8 })).texts, [[7, "Hello <b>"]]);
  assert.deepEqual((await source.ask("search", { text: "HELLO" })).seqs, [7, 9]);
  assert.equal((await source.ask("text", { seq: 5 })).text, "Begin");
  await assert.rejects(source.ask("do", {}));
});
