// Shows the page as it is now, every few seconds, for as long as somebody looks at it.
const main = document.querySelector("main");
const EVERY = 1000 * main.dataset.every;

async function show() {
  // Whoever marks something wants to copy it.
  const marked = String(document.getSelection()) !== "";
  if (!document.hidden && !marked) {
    try {
      const answer = await fetch("./", { cache: "no-store" });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      main.replaceChildren(...page.querySelector("main").childNodes);
      document.title = "tapegate";
    } catch {
      document.title = "tapegate: no answer";
    }
  }
  setTimeout(show, EVERY);
}

setTimeout(show, EVERY);
