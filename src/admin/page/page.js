// Shows the page as it is now, every few seconds, for as long as somebody looks at it.
const EVERY = 5000;

async function show() {
  const main = document.querySelector("main");
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
