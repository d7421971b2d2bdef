/** A client of tapegate that repeats calls as the service says. */

import { randomBytes, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import {
  type CallOptions,
  type ClientOptions,
  credentials,
  loadPackageDefinition,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import type { ProtoGrpcType } from "./gen/tape_service.js";
import type { CreateTapesRequest } from "./gen/tapegate/v1/CreateTapesRequest.js";
import type { CreateTapesResponse__Output } from "./gen/tapegate/v1/CreateTapesResponse.js";
import type { ListTapesResponse__Output } from "./gen/tapegate/v1/ListTapesResponse.js";
import type { Tape__Output } from "./gen/tapegate/v1/Tape.js";
import type { TapeServiceClient } from "./gen/tapegate/v1/TapeService.js";
import { TapegateError } from "./tapegate-error.js";

const CREATE_DEADLINE_MS = 30_000;
const DESCRIBE_DEADLINE_MS = 30_000;
const LIST_DEADLINE_MS = 60_000;
const SHORTEST_BACKOFF_MS = 500;
const LONGEST_BACKOFF_MS = 10_000;

const CHANNEL_OPTIONS: ClientOptions = {
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 5_000,
  "grpc.keepalive_permit_without_calls": 1,
  "grpc.initial_reconnect_backoff_ms": 200,
  "grpc.max_reconnect_backoff_ms": 5_000,
};

// The options of the code generator, in package.json.
const definition = loadSync("tapegate/v1/tape_service.proto", {
  includeDirs: [fileURLToPath(new URL("proto", import.meta.url))],
  defaults: true,
  enums: String,
  json: true,
  longs: String,
  oneofs: true,
});
const { TapeService } = (loadPackageDefinition(definition) as unknown as ProtoGrpcType).tapegate.v1;

/** The time is over, and the call can succeed later. */
export class GaveUpError extends Error {}

/** The time that a piece of work has for all of its attempts. */
export class Patience {
  readonly #ms: number;
  #ends = 0;
  #failures = 0;

  constructor(seconds: number) {
    this.#ms = seconds * 1000;
    this.renew();
  }

  /** After progress. */
  renew(): void {
    this.#ends = performance.now() + this.#ms;
    this.#failures = 0;
  }

  /** The time for one call: `ms`, or what remains if that is less. */
  limit(ms: number): number {
    return Math.max(0, Math.min(ms, this.#ends - performance.now()));
  }

  async sleep(ms: number, why: string): Promise<void> {
    if (performance.now() + ms >= this.#ends) {
      throw new GaveUpError(`gave up after ${this.#ms / 1000} s; the last answer was ${why}`);
    }
    await sleep(ms);
  }

  /** Waits until the same call can be made again; throws the error if that cannot help. */
  async waitAfter(error: TapegateError): Promise<void> {
    if (error.retry !== "same_call") {
      throw error;
    }
    const longest = Math.min(LONGEST_BACKOFF_MS, SHORTEST_BACKOFF_MS * 2 ** ++this.#failures);
    const backoff = SHORTEST_BACKOFF_MS + Math.random() * (longest - SHORTEST_BACKOFF_MS);
    await this.sleep(error.retryDelayMs ?? backoff, String(error));
  }
}

/** The calls of one command. They share a trace. */
export class Tapegate {
  readonly #stub: TapeServiceClient;
  readonly #tokenFile: string | undefined;
  readonly #trace = randomBytes(16).toString("hex");

  /** `environment` has `TAPEGATE_ADDRESS` and the other variables that the README names. */
  constructor(address: string, environment: NodeJS.ProcessEnv) {
    const { TAPEGATE_CA: ca, TAPEGATE_SERVICE_CONFIG: config, TAPEGATE_TOKEN_FILE: tokenFile } = environment;
    const options = { ...CHANNEL_OPTIONS, ...(config && { "grpc.service_config": readFileSync(config, "utf8") }) };
    this.#stub = new TapeService(
      address,
      ca ? credentials.createSsl(readFileSync(ca)) : credentials.createInsecure(),
      options,
    );
    this.#tokenFile = tokenFile;
  }

  close(): void {
    this.#stub.close();
  }

  /** Returns the ARNs of the new tapes. `failed` gets the error of each attempt. */
  async createTapes(
    request: CreateTapesRequest,
    patience: Patience,
    failed: (error: TapegateError) => void,
  ): Promise<string[]> {
    for (;;) {
      const { requestId, metadata, options } = this.#call(patience.limit(CREATE_DEADLINE_MS));
      try {
        const response = await new Promise<CreateTapesResponse__Output>((resolve, reject) =>
          this.#stub.createTapes(request, metadata, options, (error, value) =>
            error ? reject(error) : resolve(value!),
          ),
        );
        return response.tapeArns;
      } catch (thrown) {
        const error = new TapegateError(thrown as ServiceError, requestId);
        failed(error);
        await patience.waitAfter(error);
      }
    }
  }

  /** Returns those of the tapes that the library of the gateway has. They are few: each attempt starts anew. */
  async describeTapes(gatewayArn: string, tapeArns: string[], patience: Patience): Promise<Tape__Output[]> {
    for (;;) {
      const { requestId, metadata, options } = this.#call(patience.limit(DESCRIBE_DEADLINE_MS));
      try {
        const tapes: Tape__Output[] = [];
        for await (const page of this.#stub.describeTapes({ gatewayArn, tapeArns }, metadata, options)) {
          tapes.push(...page.tapes);
        }
        return tapes;
      } catch (thrown) {
        await patience.waitAfter(new TapegateError(thrown as ServiceError, requestId));
      }
    }
  }

  /** Yields the pages of all tapes as they come. After an error the list resumes at the last marker. */
  async *listTapes(patience: Patience): AsyncGenerator<ListTapesResponse__Output> {
    let marker = "";
    let complete = false;
    for (;;) {
      const { requestId, metadata, options } = this.#call(patience.limit(LIST_DEADLINE_MS));
      try {
        for await (const page of this.#stub.listTapes({ marker }, metadata, options)) {
          patience.renew();
          marker = page.marker;
          complete = marker === "";
          yield page;
        }
        return;
      } catch (thrown) {
        // After the last page, only the status of the stream was lost.
        if (complete) {
          return;
        }
        await patience.waitAfter(new TapegateError(thrown as ServiceError, requestId));
      }
    }
  }

  /** What each call has of its own. The token is read each time, because it can be rotated. */
  #call(timeoutMs: number): { requestId: string; metadata: Metadata; options: CallOptions } {
    const requestId = randomUUID();
    // grpc-js ignores the `waitForReady` of a service config.
    const metadata = new Metadata({ waitForReady: true });
    metadata.set("traceparent", `00-${this.#trace}-${randomBytes(8).toString("hex")}-01`);
    metadata.set("x-request-id", requestId);
    if (this.#tokenFile) {
      metadata.set("authorization", `Bearer ${readFileSync(this.#tokenFile, "utf8").trim()}`);
    }
    return { requestId, metadata, options: { deadline: Date.now() + timeoutMs } };
  }
}
