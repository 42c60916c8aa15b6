/**
 * Markdown as a tree of plain values: a parser's tokens, of which only these kinds are taken. No DOM, no HTML: what
 * looks like a tag is text, a picture is its words and its address, and nothing is ever loaded.
 */
import MarkdownIt from "markdown-it";

/**
 * @typedef {"p"|"h"|"em"|"strong"|"s"|"ul"|"ol"|"li"|"table"|"tr"|"th"|"td"|"code"|"fence"|"blockquote"|"hr"|"br"|"link"} Kind
 * @typedef {string|{kind: Kind, children: Part[], level?: number, start?: number, address?: string, language?: string}} Part
 * @typedef {{type: string, tag: string, nesting: number, content: string, info: string, markup: string, children: Token[]|null,
 *   attrGet: (name: string) => string|null}} Token
 */

/** Lists and quotes deeper than this are text. */
const DEEPEST = 24;
/** Texts without any of this are as they are. */
const MARKS = /[*_`#[\]|~<\\&]|^\s*(?:[-+>=]|\d+[.)])|https?:/m;

/** @type {Record<string, Kind>} */
const KINDS = {
  paragraph: "p", heading: "h", em: "em", strong: "strong", s: "s", bullet_list: "ul", ordered_list: "ol", list_item: "li",
  table: "table", tr: "tr", th: "th", td: "td", blockquote: "blockquote", link: "link",
};

const parser = new MarkdownIt({ html: false, linkify: true, maxNesting: DEEPEST }).disable(["code", "reference", "html_block", "html_inline"]);
// Only what names its own way: "notes.md" and "x@y.z" are words.
parser.linkify.set({ fuzzyLink: false, fuzzyEmail: false, fuzzyIP: false });

/** The parts of a text. @param {string} text @returns {Part[]} */
export function partsOf(text) {
  if (!MARKS.test(text)) return [{ kind: "p", children: [text] }];
  return nested(/** @type {Token[]} */ (/** @type {unknown} */ (parser.parse(text, {}))));
}

/** @param {Token[]} tokens @returns {Part[]} */
function nested(tokens) {
  /** @type {Part[]} */
  const all = [];
  /** @type {Part[][]} */
  const open = [all];
  for (const token of tokens) {
    const into = open[open.length - 1];
    if (token.nesting > 0) {
      const made = begun(token);
      if (made) into.push(made);
      open.push(made ? made.children : into);
    } else if (token.nesting < 0) {
      if (open.length > 1) open.pop();
    } else if (token.type === "inline") into.push(...nested(token.children ?? []));
    else into.push(whole(token));
  }
  return all;
}

/** A part that holds others; null for one that is of no account. @param {Token} token */
function begun(token) {
  const kind = KINDS[token.type.replace(/_open$/, "")];
  if (!kind) return null;
  /** @type {Exclude<Part, string>} */
  const made = { kind, children: [] };
  if (kind === "h") made.level = Number(token.tag.slice(1));
  if (kind === "ol") made.start = Number(token.attrGet("start") ?? 1);
  if (kind === "link") made.address = token.attrGet("href") ?? "";
  return made;
}

/** @param {Token} token @returns {Part} */
function whole(token) {
  if (token.type === "softbreak") return "\n";
  if (token.type === "hardbreak") return { kind: "br", children: [] };
  if (token.type === "hr") return { kind: "hr", children: [] };
  if (token.type === "code_inline") return { kind: "code", children: [token.content] };
  if (token.type === "fence") return { kind: "fence", language: token.info.trim().split(/\s/)[0], children: [token.content.replace(/\n$/, "")] };
  if (token.type === "image") return { kind: "link", address: token.attrGet("src") ?? "", children: [`picture: ${token.content}`] };
  return token.content;
}
