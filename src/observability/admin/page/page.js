// Refreshes the page every few seconds while its tab is visible.
const main = document.querySelector("main");
const EVERY = 1000 * main.dataset.every;

async function show() {
  // A refresh would remove the selection.
  const selected = String(document.getSelection()) !== "";
  if (!document.hidden && !selected) {
    try {
      const answer = await fetch("./", { cache: "no-store" });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      main.replaceChildren(...page.querySelector("main").childNodes);
      document.title = "tapegate";
    } catch {
      document.title = "tapegate: no response";
    }
  }
  setTimeout(show, EVERY);
}

setTimeout(show, EVERY);
