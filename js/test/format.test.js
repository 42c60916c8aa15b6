/** How numbers, money, times, names and colours are written. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { amount, exhausted } from "../src/parts/budget.js";
import { isLight, shownOn } from "../src/draw/colours.js";
import { counted, cut, duration, money, moneyOf, number, sameLooking, short, shownName } from "../src/draw/format.js";
import { statusKey } from "../src/draw/icons.js";

test("numbers are short where there is little room", () => {
  assert.deepEqual([0, 999, 1000, 1234, 9960, 34_400, 999_400, 999_600, 1_500_000].map(short), ["0", "999", "1k", "1.2k", "10k", "34k", "999k", "1M", "1.5M"]);
  assert.equal(number(48_213), "48,213");
  assert.equal(counted(1, "run"), "1 run");
  assert.equal(counted(2, "run"), "2 runs");
});

test("an unknown price is never 0", () => {
  assert.equal(money(null), "price unknown");
  assert.equal(money(0), "$0");
  assert.equal(money(0.00002), "<$0.0001");
  assert.equal(money(0.0123), "$0.0123");
  assert.equal(money(2.5), "$2.50");
  assert.equal(moneyOf([]), "–");
  assert.equal(moneyOf([{ usd: null, steps: 1 }]), "price unknown");
  assert.equal(moneyOf([{ usd: null, steps: 1 }, { usd: 0.5, steps: 1 }]), "$0.50 + unknown");
  assert.equal(moneyOf([{ usd: null, steps: 0 }, { usd: 0.5, steps: 1 }]), "$0.50");
  assert.equal(amount("usd", null), "price unknown");
  assert.equal(amount("tokens", null), "–");
});

test("times are said in their own unit", () => {
  assert.deepEqual([0.25, 41, 60, 95, 3600, 9000].map(duration), ["0.3 s", "41 s", "1 min", "1 min 35 s", "1 h", "2 h 30 min"]);
});

test("the most exhausted limit comes first, and no limit is none", () => {
  const found = exhausted({ runs: 10, tokens: 900, usd: null }, { runs: 100, tokens: 1000, usd: 5, messages: null });
  assert.deepEqual(found.map(({ name }) => name), ["tokens", "runs", "usd"]);
  assert.deepEqual(exhausted({ runs: 3 }, { runs: null }), []);
});

test("a name is one line that cannot turn what stands around it", () => {
  assert.equal(shownName("Ann", "a"), "Ann");
  assert.equal(shownName("\u200b\u2060 ", "a-1"), "a-1");
  assert.equal(shownName("\u3164", "a-1"), "a-1");
  assert.equal(shownName(null, "a-1"), "a-1");
  assert.equal(shownName("\u202eevil\u2066", "a"), "evil");
  assert.equal(shownName("one\ntwo", "a"), "one two");
  assert.ok(shownName("x".repeat(1_000_000), "a").length <= 61);
  assert.ok(shownName(`Z${"\u0301".repeat(500)}`, "a").length < 6);
  assert.equal(sameLooking("Ａnn\u200d"), sameLooking("ann"));
});

test("a text is cut between characters", () => {
  assert.equal(cut("short", 10), "short");
  assert.equal(cut("a😀b", 2), "a…");
});

test("writing on a colour can be read, and a colour on its ground", () => {
  assert.ok(isLight("#f0e442"));
  assert.ok(!isLight("#0072b2"));
  assert.notEqual(shownOn("#000000", true), "rgb(0, 0, 0)");
  assert.equal(shownOn("#0072b2", false), "rgb(0, 114, 178)");
});

test("every status has a shape", () => {
  assert.equal(statusKey("waiting for the rate limit"), "rate");
  assert.equal(statusKey("idle", true), "paused");
  assert.equal(statusKey("thinking", true), "thinking");
  assert.equal(statusKey("failed: no such model"), "failed");
  assert.equal(statusKey("something new"), "idle");
});
