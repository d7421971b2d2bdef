// Serves the page to browsers of this machine, at http://localhost:8080, or at the port that PORT names.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";

const files = new Map([
  ["/", ["index.html", "text/html; charset=utf-8"]],
  ["/page.js", ["page.js", "text/javascript; charset=utf-8"]],
]);

const server = createServer(async (request, response) => {
  const file = files.get(request.url);
  if (file === undefined) {
    response.writeHead(404).end();
    return;
  }
  const [name, type] = file;
  response.writeHead(200, { "content-type": type }).end(await readFile(new URL(`dist/${name}`, import.meta.url)));
});

process.on("SIGINT", () => process.exit(0));
const port = Number(process.env.PORT ?? 8080);
server.listen(port, "localhost", () => console.log(`listening http=localhost:${port}`));
