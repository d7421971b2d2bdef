/** An example of a backup agent: creates tapes and lists them. */

import { randomUUID } from "node:crypto";
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import type { CreateTapesRequest } from "./gen/tapegate/v1/CreateTapesRequest.js";
import type { Tape__Output } from "./gen/tapegate/v1/Tape.js";
import { GaveUpError, Patience, Tapegate } from "./tapegate-client.js";
import { TapegateError } from "./tapegate-error.js";

const GIB = 2 ** 30;
const FAILED = 1;
const TRY_AGAIN = 2;
const KEPT = `keeps the request, with its client_token. AWS does not say how long it remembers a token:
after ten minutes, look for the tapes with \`agent list\` before you send the request again.`;
const USAGE = `usage:
  agent create --gateway ARN --prefix PREFIX --count N --gib N --pool POOL --pending FILE [--give-up SECONDS]
  agent list [--give-up SECONDS]`;

class UsageError extends Error {}

/** Makes the content of a file, or the names in a folder, durable. */
function sync(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * The file that keeps a request from before its first attempt until its tapes are reported. An agent that was
 * interrupted sends the request again with the same client_token, so that it creates no further tapes.
 */
class Pending {
  constructor(readonly path: string) {}

  load(): CreateTapesRequest | undefined {
    return existsSync(this.path) ? (JSON.parse(readFileSync(this.path, "utf8")) as CreateTapesRequest) : undefined;
  }

  store(request: CreateTapesRequest): void {
    const temporary = `${this.path}.new`;
    writeFileSync(temporary, JSON.stringify(request));
    sync(temporary);
    renameSync(temporary, this.path);
    sync(dirname(this.path));
  }

  remove(): void {
    rmSync(this.path);
    sync(dirname(this.path));
  }
}

async function create(tapegate: Tapegate, pending: Pending, wanted: CreateTapesRequest, patience: Patience) {
  const earlier = pending.load();
  const request = earlier ?? wanted;
  // Whether an attempt may have created the tapes.
  let uncertain = earlier !== undefined;
  if (earlier) {
    console.error(`resuming the request of ${pending.path}, which an earlier run left`);
  } else {
    pending.store(request);
  }
  let tapeArns: string[];
  try {
    tapeArns = await tapegate.createTapes(request, patience, (error) => {
      uncertain ||= error.outcome !== "not_applied" || error.earlierOutcome !== undefined;
    });
    uncertain = true;
    await waitUntilAvailable(tapegate, request.gatewayArn ?? "", tapeArns, patience);
  } catch (error) {
    if (error instanceof TapegateError && !uncertain) {
      pending.remove();
    } else {
      console.error(`${pending.path} ${KEPT}`);
    }
    throw error;
  }
  await print([JSON.stringify({ tapes: tapeArns })]);
  pending.remove();
}

async function waitUntilAvailable(tapegate: Tapegate, gatewayArn: string, tapeArns: string[], patience: Patience) {
  for (let pauseMs = 1000; ; pauseMs = Math.min(5000, pauseMs + 1000)) {
    const tapes = await tapegate.describeTapes(gatewayArn, tapeArns, patience);
    if (tapes.length === tapeArns.length && tapes.every(isAvailable)) {
      for (const tape of tapes) {
        // Unlike `poolId`, it also has custom pools and storage classes that this program does not know.
        console.error(`${tape.tapeBarcode} is available, pool ${tape.poolIdText}`);
      }
      return;
    }
    await patience.sleep(pauseMs, "that tapes are still being created");
  }
}

function isAvailable(tape: Tape__Output): boolean {
  switch (tape.tapeStatus) {
    case "TAPE_STATUS_AVAILABLE":
      return true;
    case "TAPE_STATUS_IRRECOVERABLE":
    case "TAPE_STATUS_DELETING":
    case "TAPE_STATUS_DELETED":
      throw new Error(`${tape.tapeArn} is ${tape.tapeStatusText}`);
    default:
      // CREATING, or a status of a later release, which is a number here.
      return false;
  }
}

async function list(tapegate: Tapegate, patience: Patience) {
  // A tape that is archived or retrieved meanwhile can be on two pages.
  const printed = new Set<string>();
  for await (const page of tapegate.listTapes(patience)) {
    const fresh = new Set(page.tapeInfos.map((tape) => tape.tapeArn).filter((tapeArn) => !printed.has(tapeArn)));
    fresh.forEach((tapeArn) => printed.add(tapeArn));
    await print([...fresh]);
  }
}

// An error of the standard output ends the program by way of `print`.
process.stdout.on("error", () => undefined);

/** Unlike `console.log`, it fails if the lines cannot be written. */
function print(lines: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(lines.map((line) => `${line}\n`).join(""), (error) => (error ? reject(error) : resolve()));
  });
}

type Options = Record<string, string | undefined>;

function text(options: Options, name: string): string {
  const value = options[name];
  if (value === undefined) {
    throw new UsageError(`--${name} is missing`);
  }
  return value;
}

function number(options: Options, name: string): number {
  const value = Number(text(options, name));
  if (Number.isNaN(value)) {
    throw new UsageError(`--${name} is not a number`);
  }
  return value;
}

function parse(): (tapegate: Tapegate) => Promise<void> {
  const names = ["gateway", "prefix", "count", "gib", "pool", "pending", "give-up"];
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: Object.fromEntries(names.map((name) => [name, { type: "string" as const }])),
  });
  const options: Options = { "give-up": "120", ...(values as Options) };
  const patience = new Patience(number(options, "give-up"));
  switch (positionals.join(" ")) {
    case "create": {
      const request: CreateTapesRequest = {
        gatewayArn: text(options, "gateway"),
        tapeSizeInBytes: number(options, "gib") * GIB,
        clientToken: randomUUID(),
        numTapesToCreate: number(options, "count"),
        tapeBarcodePrefix: text(options, "prefix"),
        // Also takes the names of storage classes, those of later releases too.
        customPoolId: text(options, "pool"),
      };
      const pending = new Pending(text(options, "pending"));
      return (tapegate) => create(tapegate, pending, request, patience);
    }
    case "list":
      return (tapegate) => list(tapegate, patience);
    default:
      throw new UsageError("the command is create or list");
  }
}

async function main(): Promise<number> {
  try {
    const run = parse();
    const address = process.env["TAPEGATE_ADDRESS"];
    if (!address) {
      throw new UsageError("TAPEGATE_ADDRESS is not set; it is the host:port of the service");
    }
    const tapegate = new Tapegate(address, process.env);
    try {
      await run(tapegate);
    } finally {
      tapegate.close();
    }
    return 0;
  } catch (error) {
    if (error instanceof GaveUpError) {
      console.error(`${error.message}\nrun the same command again`);
      return TRY_AGAIN;
    }
    console.error(error instanceof UsageError ? `${error.message}\n${USAGE}` : String(error));
    return FAILED;
  }
}

process.exitCode = await main();
