// The row of buttons under a message. What it shows and may do comes in `data`; what is pressed goes out as an event of its own.
export default function ({ data, parentElement, setTriggerValue }) {
  const row = parentElement.querySelector(".row");
  row.act = (verb) => setTriggerValue(verb, true);
  const drawn = JSON.stringify(data);
  if (row.drawn === drawn) return; // the buttons stay: one may be held down in this moment
  row.drawn = drawn;
  const focused = parentElement.activeElement?.dataset.verb;
  const presses = {};
  const act = (verb) => row.act(verb);

  // The row hears of presses: a button that was replaced while it was held down hears nothing.
  const verbOf = (element) => element?.closest?.("[data-verb]:not(:disabled)")?.dataset.verb;
  row.onpointerdown = (event) => { row.pressed = verbOf(event.target); };
  row.onclick = (event) => {
    const under = row.getRootNode().elementFromPoint(event.clientX, event.clientY);
    const verb = event.target === row ? verbOf(under) : verbOf(event.target);
    if (verb && (event.target !== row || verb === row.pressed)) presses[verb](event);
  };

  function button(verb, icon, label, press, text) {
    const made = document.createElement("button");
    made.type = "button";
    made.dataset.verb = verb;
    made.title = label;
    if (text) made.append(text);
    else made.setAttribute("aria-label", label);
    const glyph = document.createElement("span");
    glyph.className = "icon";
    glyph.setAttribute("aria-hidden", "true");
    glyph.textContent = icon;
    made.prepend(glyph);
    presses[verb] = press ?? (() => act(verb));
    row.append(made);
    return made;
  }

  async function copy() {
    const glyph = row.querySelector("[data-verb=copy] .icon");
    try {
      await navigator.clipboard.writeText(data.text);
    } catch { // no secure context: the old way
      const area = Object.assign(document.createElement("textarea"), { value: data.text });
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    glyph.textContent = "check";
    setTimeout(() => { glyph.textContent = "content_copy"; }, 1200);
  }

  function others() {
    const menu = document.createElement("div");
    menu.className = "menu";
    menu.popover = "auto";
    for (const [number, name] of data.others.entries()) {
      const item = document.createElement("button");
      item.type = "button";
      item.textContent = `Regenerate with ${name}`;
      item.onclick = () => { menu.hidePopover(); act(`other${number}`); };
      menu.append(item);
    }
    const opener = button("others", "arrow_drop_down", "Regenerate with another backend", () => {
      const { left, bottom } = opener.getBoundingClientRect();
      menu.style.left = `${left}px`;
      menu.style.top = `${Math.min(bottom, innerHeight - 40 * data.others.length - 16)}px`;
      menu.togglePopover();
    });
    opener.setAttribute("aria-haspopup", "true");
    row.append(menu);
  }

  row.replaceChildren();
  row.classList.toggle("mine", data.role === "user");
  row.setAttribute("aria-label", data.role === "user" ? "Your message" : "Reply");
  if (data.versions > 1) {
    const [at, last] = [data.version, data.versions];
    button("previous", "chevron_left", "Previous version").disabled = at === 1;
    row.append(Object.assign(document.createElement("span"), { textContent: `${at}/${last}` }));
    button("next", "chevron_right", "Next version").disabled = at === last;
  }
  button("copy", "content_copy", "Copy", copy);
  if (data.can.includes("edit")) button("edit", "edit", "Edit and send again");
  if (data.can.includes("read")) button("read", "document_scanner", "Read the text in the pictures");
  if (data.can.includes("rate")) {
    for (const [verb, value, label] of [["up", 1, "Good reply"], ["down", -1, "Bad reply"]]) {
      const thumb = button(verb, `thumb_${verb}`, label);
      thumb.setAttribute("aria-pressed", data.value === value);
    }
  }
  if (data.can.includes("regenerate")) button("regenerate", "refresh", "Regenerate");
  if (data.can.includes("regenerate") && data.others.length) others();
  if (data.can.includes("continue")) button("continue", "play_arrow", "Go on with this reply", null, "Continue");
  if (focused) row.querySelector(`[data-verb=${focused}]`)?.focus();
  if (data.found) setTimeout(() => row.getRootNode().host?.scrollIntoView({ block: "center" }), 400);
}
