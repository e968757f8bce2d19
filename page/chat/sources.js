// Markers of one reply: a press opens the passages below it and shows the one that is meant; screen readers hear its name.
export default function ({ data, parentElement }) {
  const anchor = parentElement.querySelector("span");
  const host = parentElement.host ?? parentElement.getRootNode().host ?? anchor;
  const message = host.closest('[data-testid="stChatMessage"]');
  if (!message) return;
  const names = Object.fromEntries(data.names);
  const markers = () => [...message.querySelectorAll('a[href^="#source-"]')];

  function name() {
    for (const link of markers()) {
      const known = names[link.hash.slice(1)];
      if (!known) continue; // typed by somebody: it leads nowhere
      const label = link.textContent.includes(data.ours) ? `${known}, found by this page` : known;
      if (link.getAttribute("aria-label") !== label) {
        link.setAttribute("aria-label", label);
        link.title = label;
      }
    }
  }

  function show(key) {
    const passage = message.querySelector(`.st-key-${CSS.escape(key)}`);
    if (!passage) return;
    passage.tabIndex = -1;
    passage.setAttribute("role", "note");
    passage.setAttribute("aria-label", names[key]);
    passage.scrollIntoView({ block: "center" });
    passage.focus({ preventScroll: true });
  }

  function press(event) {
    const link = event.target.closest?.('a[href^="#source-"]');
    const key = link?.hash.slice(1);
    if (!key || !names[key]) return;
    event.preventDefault();
    const folded = [...message.querySelectorAll("details")].find((each) => each.querySelector(`.st-key-${CSS.escape(key)}`))
      ?? [...message.querySelectorAll("details")].at(-1);
    if (folded && !folded.open) folded.querySelector("summary").click();
    setTimeout(() => show(key), folded ? 250 : 0); // it unfolds in this time
  }

  name();
  const watcher = new MutationObserver(name);
  watcher.observe(message, { childList: true, subtree: true, characterData: true });
  message.addEventListener("click", press, true);
  return () => {
    watcher.disconnect();
    message.removeEventListener("click", press, true);
  };
}
