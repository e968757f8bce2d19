// A reply as blocks of HTML, which the server made and of which only those that differ are drawn anew.

export function reply({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".reply");
  const drawn = (root.drawn ??= new Reply(root, parentElement.querySelector(".reply-actions")));
  const turn = (drawn.turn = {}); // Streamlit ends a call that was overtaken after the one that overtook it
  drawn.update(data, setTriggerValue);
  return () => { if (drawn.turn === turn) drawn.leave(); };
}

class Reply {
  constructor(root, actions) {
    Object.assign(this, { root, actions, blocks: [], streamed: [], topic: null, stop: null, told: new Set() });
  }

  update(data, trigger) {
    this.trigger = trigger;
    this.data = data;
    this.root.classList.toggle("plain", Boolean(data.plain));
    if (!data.topic) {
      this.leave();
      this.draw(data.blocks, Boolean(data.growing), data.wait);
      this.offer(Boolean(data.answer));
      return;
    }
    if (this.topic === data.topic && this.ticket === data.ticket) return;
    this.leave();
    Object.assign(this, { topic: data.topic, ticket: data.ticket, told: new Set() });
    if (!this.blocks.length) this.draw([], true, data.wait);
    this.stop = hub.subscribe(data, data.topic, (event) => this.take(event));
  }

  leave() {
    this.stop?.();
    this.stop = this.topic = null;
  }

  take(event) {
    if (event.failed) return this.say("failed", true);
    this.offer(Boolean(event.answer));
    if (event.add) {
      this.streamed = patched(this.streamed, event);
      if (this.streamed.length || event.wait) this.draw(this.streamed, !event.ended, event.wait);
    }
    if (event.ended) this.say("ended", true);
    else if (event.sources && event.sources !== this.data.sources) this.say("sources", event.sources);
  }

  // Tells the script, once each.
  say(what, value) {
    const said = `${what} ${value}`;
    if (this.told.has(said)) return;
    this.told.add(said);
    this.trigger(what, value);
  }

  // The button that ends the thinking, for as long as that can be done: one element, which a press finds in its place.
  offer(answer) {
    const there = this.actions.firstElementChild;
    if (!answer) there?.remove();
    if (!answer || there) return;
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: "Answer now" });
    button.className = "answer-now";
    button.addEventListener("click", () => {
      button.disabled = true;
      this.trigger("answer", true);
    });
    this.actions.append(button);
  }

  // A block that goes on is no live region's; once the next one has begun it is put in anew, and is read out.
  // What a reply waits for stands behind its blocks.
  draw(blocks, growing, wait) {
    this.waiting?.remove();
    const last = growing ? blocks.length - 1 : -1;
    blocks.forEach((html, at) => {
      const there = this.root.children[at];
      const goesOn = at === last;
      if (there && this.blocks[at] === html && (there.getAttribute("aria-live") === "off") === goesOn) return;
      const isOpen = there?.querySelector(":scope > details.thought")?.open;
      const drawn = there && goesOn && there.getAttribute("aria-live") === "off" ? there : document.createElement("div");
      drawn.innerHTML = html;
      if (isOpen) drawn.querySelector(":scope > details.thought")?.setAttribute("open", "");
      if (goesOn) drawn.setAttribute("aria-live", "off");
      if (!there) this.root.append(drawn);
      else if (drawn !== there) there.replaceWith(drawn);
    });
    while (this.root.children.length > blocks.length) this.root.lastElementChild.remove();
    this.blocks = blocks;
    this.root.classList.toggle("growing", growing && blocks.length > 0);
    this.waiting = wait ? Object.assign(document.createElement("p"), { className: "waiting", textContent: wait }) : null;
    if (wait) this.root.append(this.waiting);
  }
}
