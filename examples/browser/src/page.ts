/** The page: lists tapes as their messages arrive, and creates one. */

import { explain, tapeClient, type TapeClient } from "./client.js";
import { PoolId } from "./gen/tapegate/v1/tape_pb.js";

const GATEWAY = "arn:aws:storagegateway:us-east-1:123456789012:gateway/sgw-12A3456B";
const SIZE_IN_BYTES = 100n * 1024n ** 3n;

const form = document.querySelector("form")!;
const status = document.querySelector("[role=status]")!;
const rows = document.querySelector("tbody")!;

const field = (name: string): string => String(new FormData(form).get(name) ?? "");

/** Runs one action with the server and the token of the form, and says how it ended. */
async function run(action: (client: TapeClient) => Promise<string>): Promise<void> {
  status.textContent = "…";
  try {
    status.textContent = await action(tapeClient(field("server"), () => field("token")));
  } catch (error) {
    status.textContent = explain(error);
  }
}

async function list(client: TapeClient): Promise<string> {
  rows.replaceChildren();
  for await (const page of client.listTapes({})) {
    for (const tape of page.tapeInfos) {
      const row = rows.insertRow();
      for (const text of [tape.tapeBarcode, tape.tapeStatusText, tape.poolIdText]) {
        row.insertCell().textContent = text ?? "";
      }
    }
  }
  return `${rows.rows.length} tapes`;
}

async function create(client: TapeClient): Promise<string> {
  const created = await client.createTapeWithBarcode({
    gatewayArn: GATEWAY,
    tapeSizeInBytes: SIZE_IN_BYTES,
    tapeBarcode: field("barcode"),
    pool: { case: "poolId", value: PoolId.GLACIER },
  });
  return `created ${created.tapeArn}`;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  void run(list);
});
form.querySelector("[name=create]")!.addEventListener("click", () => void run(create));
