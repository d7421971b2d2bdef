/** A client for pages, and its errors. */

import { Code, ConnectError, createClient, type Client, type Interceptor } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { BadRequestSchema, ErrorInfoSchema, RequestInfoSchema } from "./gen/google/rpc/error_details_pb.js";
import { TapeService } from "./gen/tapegate/v1/tape_service_pb.js";

/** How long a call may take by default, in milliseconds. A list that takes longer ends with DEADLINE_EXCEEDED. */
const TIMEOUT_MS = 60_000;

export type TapeClient = Client<typeof TapeService>;

/** A client of the service at this URL. `token` is asked for each call, and may return an empty string. */
export function tapeClient(server: string, token: () => string): TapeClient {
  const authenticate: Interceptor = (next) => (request) => {
    const found = token();
    if (found !== "") {
      request.header.set("authorization", `Bearer ${found}`);
    }
    return next(request);
  };
  return createClient(
    TapeService,
    createGrpcWebTransport({ baseUrl: server, interceptors: [authenticate], defaultTimeoutMs: TIMEOUT_MS }),
  );
}

/** What an error says to a person: its reason, its message, every invalid field and the id of the request. */
export function explain(cause: unknown): string {
  const error = ConnectError.from(cause);
  const [info] = error.findDetails(ErrorInfoSchema);
  const [request] = error.findDetails(RequestInfoSchema);
  const violations = error.findDetails(BadRequestSchema).flatMap((details) => details.fieldViolations);
  if (info === undefined) {
    // Not from the service. A browser does not say why it could not send a request, or not read the response.
    return `${Code[error.code]}: ${error.rawMessage}; is the server there, is its certificate trusted, and is this page's origin in grpc_web.allowed_origins?`;
  }
  return [
    `${info.reason}: ${error.rawMessage}`,
    ...violations.map((violation) => `${violation.field}: ${violation.description}`),
    `request ${request?.requestId ?? "without an id"}, retry: ${info.metadata["retry"]}`,
  ].join("\n");
}
