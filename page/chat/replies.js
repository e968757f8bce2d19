// What replies need of the page around them, whether a script draws them or they stand in it as plain HTML: the theme's
// variables, which Streamlit tells its components alone; what copies code; links that leave this page where it is.
const HINT = 1200; // milliseconds that a copied block says so

export default function ({ data, parentElement }) {
  const theme = () => {
    const told = getComputedStyle(parentElement);
    data.variables.forEach((name) => document.documentElement.style.setProperty(name, told.getPropertyValue(name)));
  };
  const observer = new MutationObserver(theme);
  for (let each = parentElement; each; each = each.parentElement) {
    if (each !== document.documentElement) observer.observe(each, { attributes: true });
  }
  theme();
  document.addEventListener("click", act);
  return () => {
    observer.disconnect();
    document.removeEventListener("click", act);
  };
}

function act(event) {
  const link = event.target.closest?.(".reply a[href]");
  if (link && !link.getAttribute("href").startsWith("#")) Object.assign(link, { target: "_blank", rel: "noopener noreferrer" });
  const button = event.target.closest?.(".reply button.copy");
  if (button) copy(button);
}

async function copy(button) {
  const text = button.parentElement.querySelector("code").textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch { // no secure context: the old way
    const area = Object.assign(document.createElement("textarea"), { value: text });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  button.classList.add("done");
  setTimeout(() => button.classList.remove("done"), HINT);
}
