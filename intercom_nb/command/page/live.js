/** Feeds the views from this page's own server: facts as they are written to the log, and answers to questions. */
import views from "./views.js";

const STATE = { part: "dashboard", focus: "", live: false };

/** What the views know as the model of a widget: they send to it, and hear from it. */
class Wire {
  #heard = new Map();
  #facts = null;

  get(name) {
    return STATE[name];
  }

  on(name, told) {
    this.#heard.set(name, [...(this.#heard.get(name) ?? []), told]);
  }

  off(name, told) {
    this.#heard.set(name, (this.#heard.get(name) ?? []).filter((one) => one !== told));
  }

  send(content) {
    if (content.kind === "hello") this.#listen(content.seq);
    if (content.kind === "ask") this.#ask(content);
  }

  #tell(name, content) {
    for (const told of this.#heard.get(name) ?? []) told(content);
  }

  #listen(seq) {
    this.#facts?.close();
    const facts = new EventSource(`facts?seq=${seq}`);
    facts.onmessage = ({ data }) => this.#tell("msg:custom", JSON.parse(data));
    facts.onerror = () => {
      facts.close();
      this.#tell("comm:close");
    };
    this.#facts = facts;
  }

  async #ask(content) {
    let answer = { error: "the program that shows this log has ended" };
    try {
      const headers = { "Content-Type": "application/json" };
      const response = await fetch("ask", { method: "POST", headers, body: JSON.stringify(content) });
      if (response.ok) answer = await response.json();
    } catch {
      // it has ended: the answer says so
    }
    this.#tell("msg:custom", { ...answer, kind: "answer", id: content.id });
  }
}

const root = document.getElementById("intercom-view");
views().render({ model: new Wire(), el: root });
root.firstElementChild?.classList.add("icnb-page");
