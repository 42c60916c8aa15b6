/** Markdown as a tree of plain values. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { partsOf } from "../src/draw/markdown.js";

/** Every kind of part in a tree. */
function kinds(parts) {
  return new Set(parts.flatMap((part) => (typeof part === "string" ? [] : [part.kind, ...kinds(part.children)])));
}

/** All that is written in a tree. */
function words(parts) {
  return parts.map((part) => (typeof part === "string" ? part : words(part.children))).join("");
}

const depth = (parts) => Math.max(0, ...parts.map((part) => (typeof part === "string" ? 0 : 1 + depth(part.children))));

test("headings, emphasis, lists, tables, code", () => {
  const text = "# Plan\n\n**Point** *three* ~~no~~ `x < y`\n\n3. one\n4. two\n   - deep\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```python\nprint(1)\n```\n\n> said\n\n---";
  const parts = partsOf(text);
  assert.deepEqual(parts.map(({ kind }) => kind), ["h", "p", "ol", "table", "fence", "blockquote", "hr"]);
  assert.deepEqual(kinds(parts), new Set(["h", "p", "strong", "em", "s", "code", "ol", "li", "ul", "table", "tr", "th", "td", "fence", "blockquote", "hr"]));
  assert.equal(parts[0].level, 1);
  assert.equal(parts[2].start, 3);
  assert.deepEqual([parts[4].language, parts[4].children], ["python", ["print(1)"]]);
});

test("plain words stay as they are, line by line", () => {
  const text = "Hello\n  there,\n\n\nyou";
  assert.deepEqual(partsOf(text), [{ kind: "p", children: [text] }]);
});

test("HTML is text", () => {
  for (const text of ["<script>alert(1)</script>", "<div>\n\n<img src=x onerror=alert(1)>\n</div>", "a <b>c</b> d", "<!-- x -->", "&lt;b&gt;"]) {
    const parts = partsOf(text);
    assert.deepEqual([...kinds(parts)].filter((kind) => kind !== "p"), []);
    assert.match(words(parts), /</);
  }
});

test("only addresses that name their way are links, and a picture is its words", () => {
  const addresses = (text) => JSON.stringify(partsOf(text)).match(/"address":"[^"]*"/g) ?? [];
  for (const text of ["[x](javascript:alert(1))", "[x](JaVaScRiPt:alert(1))", "[x](data:text/html,1)", "<javascript:alert(1)>", "notes.md", "a@b.example", "[x]: javascript:1\n\n[x]"]) assert.deepEqual(addresses(text), [], text);
  assert.deepEqual(addresses("[here](https://a.example/b)"), ['"address":"https://a.example/b"']);
  assert.deepEqual(addresses("see https://a.example."), ['"address":"https://a.example"']);
  assert.deepEqual(partsOf("![cat](https://a.example/spy.png)")[0].children, [{ kind: "link", address: "https://a.example/spy.png", children: ["picture: cat"] }]);
});

test("what is nested without end, or very long, ends soon", () => {
  for (const text of [`${"- ".repeat(1000)}x`, `${"> ".repeat(1000)}x`, "*".repeat(20_000), "[".repeat(20_000), `\`\`\`\n${"m".repeat(1_000_000)}\n\`\`\``, `${"| a ".repeat(500)}|\n${"|---".repeat(500)}|`]) {
    const began = performance.now();
    assert.ok(depth(partsOf(text)) < 80);
    assert.ok(performance.now() - began < 2000, text.slice(0, 10));
  }
});
