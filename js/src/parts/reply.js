/** The box to write from: as a person who is in the service, to an agent or a group that person can reach. */
import { Outcome } from "../wire/actions.js";
import { button, freshId, h, setOptions, setText } from "../draw/dom.js";

export class Reply {
  /** @param {import("../stage.js").Stage} stage */
  constructor(stage) {
    this.stage = stage;
    this.every = 250;
    this.outcome = new Outcome(stage.source);
    const name = freshId("reply");
    this.as = h("select.icnb-select", { "aria-label": "Write as", onchange: () => this.#chosen() });
    this.asWhom = h("label", {}, "as ", this.as);
    this.to = h("select.icnb-select", { "aria-label": "Write to", onchange: () => this.#offer() });
    this.text = h("textarea.icnb-input", { id: name, rows: 2, dir: "auto", placeholder: "Write a message", "aria-label": "Message", onkeydown: (/** @type {KeyboardEvent} */ event) => this.#key(event), oninput: () => this.#able() });
    this.send = button("Send", () => this.#send(), { class: "icnb-button icnb-main", disabled: true, title: "Ctrl+Enter, or Cmd+Enter" });
    this.box = h("div.icnb-reply-box", {}, h("div.icnb-reply-who", {}, this.asWhom, h("label", {}, "to ", this.to)),
      h("div.icnb-reply-text", {}, this.text, this.send), this.outcome.el);
    this.hint = h("p.icnb-quiet", {}, "intercom.add_person() lets you write here");
    this.el = h("div.icnb-reply", { "data-part": "reply", hidden: true }, this.box, this.hint);
  }

  #chosen() {
    this.stage.person = this.as.value;
    this.#offer();
    if (this.stage.chosen.inbox) this.stage.choose({ inbox: true });
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    event.stopPropagation(); // a notebook would run the cell
    this.#send();
  }

  #able() {
    this.send.disabled = !this.text.value.trim() || !this.to.value;
  }

  async #send() {
    const text = this.text.value;
    if (!text.trim() || !this.to.value) return;
    this.send.disabled = true;
    const given = { as: this.stage.person, to: this.to.value, text };
    const joins = this.#left(this.to.value) && !(await this.outcome.do("join", { as: given.as, to: given.to }));
    if (!joins && (await this.outcome.do("send", given)) && this.text.value === text) this.text.value = "";
    this.#able();
  }

  /** @param {import("../stage.js").Seen} _change */
  update(_change) {
    const { stage } = this;
    const people = stage.people();
    const service = stage.log.service;
    this.el.hidden = !stage.source.can("do") || !stage.now || service?.state === "stopped";
    this.box.hidden = people.length === 0;
    this.hint.hidden = people.length > 0;
    if (people.length === 0) return;
    if (!people.includes(stage.person)) stage.person = people[0];
    setOptions(this.as, people.map((id) => [id, stage.log.label(id)]));
    this.as.value = stage.person;
    this.asWhom.hidden = people.length < 2;
    this.#offer();
  }

  /** Whether it is a group that the writer is not in: writing to it joins it. @param {string} id */
  #left(id) {
    const { log, person } = this.stage;
    return log.chats.has(id) && !log.members(id).includes(person);
  }

  #offer() {
    const { log, person, focus } = this.stage;
    const agents = [...log.agents.values()].filter(({ id }) => id !== person);
    const groups = [...log.chats.values()];
    /** @type {[string, string][]} */
    const toAgents = agents.map(({ id }) => [id, log.label(id)]);
    /** @type {[string, string][]} */
    const toGroups = groups.map(({ id }) => [id, `${log.label(id)} (group${this.#left(id) ? ", join it" : ""})`]);
    const options = [...toAgents, ...toGroups];
    const first = this.to.options.length === 0;
    setOptions(this.to, options);
    setText(this.send, this.#left(this.to.value) ? "Join and send" : "Send");
    if (first && focus && options.some(([id]) => id === focus)) this.to.value = focus;
    this.#able();
  }
}
