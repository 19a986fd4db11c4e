"use strict";

// A pane is one device. It asks its node once, when its stream of events opens; from then on it changes by events only:
// the answer to a click changes nothing but the line about trouble.

// When the last click was, on either of them.
let clicked = -Infinity;

class Pane {
  constructor(section) {
    this.section = section;
    this.version = -1;
    section.append(document.getElementById("content").content.cloneNode(true));
    this.text("node", section.dataset.node);
    this.text("address", section.dataset.address);
    for (const button of section.querySelectorAll("button")) {
      button.addEventListener("click", () => this.click(button.dataset));
    }
  }

  click({ scope, application }) {
    clicked = performance.now();
    if (application === "sign-in") return this.signIn();
    if (application) return this.send(application);
    return this.send("v1/logout", { scope });
  }

  async signIn() {
    if (await this.send("sign-in")) this.listen();
    else if (!this.section.dataset.state) setTimeout(() => this.signIn(), 1000);
  }

  listen() {
    const source = new EventSource(this.path("v1/events"));
    this.source = source;
    this.version = -1;
    source.onopen = () => this.ask(source);
    source.onerror = () => {
      if (source !== this.source) return;
      // What ended by itself, the browser connects again; a refusal it leaves to us.
      if (source.readyState === EventSource.CLOSED) this.ask(source);
      else this.show("unknown", "not known (connection lost), trying again");
    };
    const on = (name, change) => source.addEventListener(name, (message) => {
      const took = Math.round(performance.now() - clicked);
      const after = took < 10000 ? `, ${took} ms after the click` : "";
      this.text("event", `${name} at ${new Date().toLocaleTimeString()}${after}`);
      change(JSON.parse(message.data));
    });
    on("session.revoked", ({ reason }) => this.out(reason ?? "session ended"));
    on("session.expired", () => this.out("expired"));
    on("permissions.changed", (data) => this.permit(data));
    on("resync", (data) => this.permit(data));
  }

  // What the node says of the session now. No answer is no logout: then it is not known, and asked again.
  async ask(source) {
    const { status, body } = await this.answer("v1/validate");
    if (source !== this.source) return;
    if (status === 401) return this.out(body.code);
    const isOpen = source.readyState === EventSource.OPEN;
    if (status === 200) this.permit(body);
    if (status === 200 && isOpen) return this.show("in", "signed in");
    this.show("unknown", `not known (${body.code ?? "no events"}), trying again`);
    if (source.readyState === EventSource.CONNECTING) return;
    setTimeout(() => {
      if (source !== this.source) return;
      if (isOpen) this.ask(source);
      else this.listen();
    }, 1000);
  }

  out(reason) {
    this.source.close();
    this.source = null;
    this.text("permissions", "–");
    this.show("out", `signed out: ${reason}`);
  }

  permit({ permissions, permissionsVersion }) {
    if (permissionsVersion < this.version) return;
    this.version = permissionsVersion;
    this.text("permissions", permissions.join(", ") || "none");
  }

  show(state, words) {
    this.section.dataset.state = state;
    this.text("state", words);
  }

  text(name, words) {
    const element = this.section.querySelector(`.${name}`);
    if (element.textContent !== words) element.textContent = words;
  }

  path(end) { return `/demo/${this.section.id}/${end}`; }

  async send(end, object = {}) {
    const { status, body } = await this.answer(end, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(object),
    });
    const isDone = status >= 200 && status < 300;
    this.text("trouble", isDone ? "" : `that did not work: ${body.code ?? status}`);
    return isDone;
  }

  async answer(end, options) {
    try {
      const response = await fetch(this.path(end), options);
      return { status: response.status, body: await response.json() };
    } catch {
      return { status: 0, body: { code: "no answer" } };
    }
  }
}

for (const section of document.querySelectorAll(".pane")) new Pane(section).signIn();
