/** Errors of tapegate as one class. */

import { fileURLToPath } from "node:url";
import { status as Code, type ServiceError } from "@grpc/grpc-js";
import { isAnyExtension, loadSync, type MessageTypeDefinition } from "@grpc/proto-loader";
import type { BadRequest__Output } from "./gen/google/rpc/BadRequest.js";
import type { ErrorInfo__Output } from "./gen/google/rpc/ErrorInfo.js";
import type { RequestInfo__Output } from "./gen/google/rpc/RequestInfo.js";
import type { RetryInfo__Output } from "./gen/google/rpc/RetryInfo.js";
import type { Status, Status__Output } from "./gen/google/rpc/Status.js";

/** What an `Any` in the details can hold; `json` below decodes it. */
interface Details {
  "google.rpc.BadRequest": BadRequest__Output;
  "google.rpc.ErrorInfo": ErrorInfo__Output;
  "google.rpc.RequestInfo": RequestInfo__Output;
  "google.rpc.RetryInfo": RetryInfo__Output;
}

const definitions = loadSync(["google/rpc/status.proto", "google/rpc/error_details.proto"], {
  includeDirs: [fileURLToPath(new URL("proto", import.meta.url))],
  defaults: true,
  json: true,
  longs: String,
});
const statusType = definitions["google.rpc.Status"] as MessageTypeDefinition<Status, Status__Output>;

/**
 * Without ErrorInfo, an error comes from the gRPC library, a proxy or another server. With these codes, the same call
 * fails again.
 */
const FINAL_WITHOUT_INFO: ReadonlySet<Code> = new Set([
  Code.INVALID_ARGUMENT,
  Code.NOT_FOUND,
  Code.OUT_OF_RANGE,
  Code.PERMISSION_DENIED,
  Code.UNAUTHENTICATED,
  Code.UNIMPLEMENTED,
]);

export interface Violation {
  field: string;
  description: string;
}

/** A call that failed, with the details of its status. */
export class TapegateError extends Error {
  readonly code: Code;
  /** Absent if the error came from the gRPC library or from a proxy. */
  readonly reason: string | undefined;
  /** `same_call`, `after_change` or `never`. If the error did not come from the service, its code decides. */
  readonly retry: string;
  /** Of a create: `not_applied` or `unknown`. Absent in errors that did not come from the service. */
  readonly outcome: string | undefined;
  /** `unknown` if an earlier attempt of the service may have created the tapes. */
  readonly earlierOutcome: string | undefined;
  /** How long to wait before the call is made again. Absent if the service gave no delay. */
  readonly retryDelayMs: number | undefined;
  readonly violations: Violation[];
  readonly requestId: string;

  /** `requestId` is the x-request-id of the call, for an error that did not come from the service. */
  constructor(error: ServiceError, requestId: string) {
    super(error.details, { cause: error });
    this.name = "TapegateError";
    const details = decode(error);
    const info = find(details, "google.rpc.ErrorInfo");
    const delay = find(details, "google.rpc.RetryInfo")?.retryDelay;
    this.code = error.code;
    this.reason = info?.reason;
    const withoutInfo = FINAL_WITHOUT_INFO.has(error.code) ? "after_change" : "same_call";
    this.retry = info ? (info.metadata["retry"] ?? "") : withoutInfo;
    this.outcome = info?.metadata["outcome"];
    this.earlierOutcome = info?.metadata["earlier_outcome"];
    this.retryDelayMs = delay ? Number(delay.seconds) * 1e3 + delay.nanos / 1e6 : undefined;
    this.violations = find(details, "google.rpc.BadRequest")?.fieldViolations ?? [];
    this.requestId = find(details, "google.rpc.RequestInfo")?.requestId ?? requestId;
  }

  override toString(): string {
    const first = `${Code[this.code]} ${this.reason || "(not from tapegate)"}`;
    const violations = this.violations.map(({ field, description }) => `\n  ${field}: ${description}`);
    return `${first}: ${this.message} (x-request-id ${this.requestId})${violations.join("")}`;
  }
}

function decode(error: ServiceError): Status__Output["details"] {
  const [bytes] = error.metadata.get("grpc-status-details-bin");
  try {
    return Buffer.isBuffer(bytes) ? statusType.deserialize(bytes).details : [];
  } catch {
    // A proxy has changed them.
    return [];
  }
}

function find<Name extends keyof Details>(details: Status__Output["details"], name: Name): Details[Name] | undefined {
  const found = details.find((one) => isAnyExtension(one) && one["@type"] === `type.googleapis.com/${name}`);
  return found as Details[Name] | undefined;
}
