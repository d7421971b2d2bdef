//! The declaration of every metric: name, unit, stability, attributes and description.

use super::{
    InstrumentKind::{self, Counter, Gauge, Histogram},
    MetricDefinition, Stability,
};

/// Histogram of calls in seconds: the bounds of OpenTelemetry's conventions, and larger ones for
/// streams.
const CALLS: InstrumentKind = Histogram(&[
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0, 60.0, 300.0, 900.0,
]);

/// Histogram of attempts in seconds; the default timeout of an attempt is 20 s.
const ATTEMPTS: InstrumentKind = Histogram(&[
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0,
]);

macro_rules! metrics {
    ($($constant:ident = $kind:expr, $stability:ident, $name:literal, $unit:literal, [$($attribute:literal),*], $description:literal;)*) => {
        $(
            #[doc = $description]
            pub static $constant: MetricDefinition = MetricDefinition {
                name: $name,
                kind: $kind,
                unit: $unit,
                stability: Stability::$stability,
                attributes: &[$($attribute),*],
                description: $description,
            };
        )*

        /// All metrics, in the order of docs/metrics.md.
        pub static ALL: &[&MetricDefinition] = &[$(&$constant),*];
    };
}

metrics! {
    CALL_DURATION = CALLS, Stable, "rpc.server.call.duration", "s",
        ["rpc.system.name", "rpc.method", "cloud.region", "tapegate.account", "rpc.response.status_code", "error.type", "tapegate.fault_owner"],
        "Duration of a call, up to the last byte of its response. `tapegate.fault_owner` of a failed call is the party that can fix it: caller, unauthenticated (the caller was not authenticated), deadline (the deadline passed before an attempt failed, so it is not known who can fix it), gateway, aws or service. `cloud.region` and `tapegate.account` are absent if the request is not valid or its caller was not authenticated; `tapegate.account` is the alias or the ID of an account that is served.";
    ACTIVE_CALLS = Gauge, Stable, "tapegate.server.active_calls", "{call}", ["rpc.method"],
        "Calls in progress, including streams.";
    FIRST_MESSAGE = CALLS, Stable, "tapegate.server.first_message.duration", "s", ["rpc.method"],
        "Time until the first message of a response.";
    PAGES = Counter, Stable, "tapegate.list.pages", "{page}", ["tapegate.operation"],
        "Pages of lists sent to callers.";
    TAPES = Counter, Stable, "tapegate.list.tapes", "{tape}", ["tapegate.operation"],
        "Tapes in the pages of lists sent to callers.";
    HIDDEN_TAPES = Counter, Stable, "tapegate.list.hidden_tapes", "{tape}", [],
        "Tapes left out of lists because policies do not allow the caller to read them.";
    SHED = Counter, Stable, "tapegate.server.shed_calls", "{call}", ["tapegate.limit"],
        "Calls rejected because a limit of the service was reached, by its setting: max_concurrent_calls were in \
         progress, or calls would have waited longer than max_scheduling_delay for a processor, or for a connection \
         to AWS (upstream.max_connections), or requests that had not arrived as a whole held more than \
         max_arriving_bytes.";
    ADMITTED = Gauge, Stable, "tapegate.server.admitted", "1", ["tapegate.kind"],
        "The share of calls that is admitted, from 0 to 1: below 1 while calls would wait longer than \
         max_scheduling_delay for a processor or for a connection to AWS.";
    CONNECTIONS = Counter, Stable, "tapegate.server.connections", "{connection}", ["tapegate.result"],
        "Connections by result: accepted, refused (max_connections were in use), refused_of_address \
         (max_connections_per_address were in use), displaced (it was idle and had to make room) or handshake_failed.";
    OPEN_CONNECTIONS = Gauge, Stable, "tapegate.server.open_connections", "{connection}", [],
        "Open connections.";
    STALLED = Counter, Stable, "tapegate.server.stalled_calls", "{call}", [],
        "Calls that were ended because their client did not read the response: for send_timeout, by its deadline, or \
         for the longest time of all when responses of more than max_unread_bytes were not read.";
    UNREAD_BYTES = Gauge, Stable, "tapegate.server.unread", "By", [],
        "Bytes of responses that wait for clients to read them, at most max_unread_bytes.";
    PROTOCOL_ERRORS = Counter, Stable, "tapegate.server.protocol_errors", "{error}", ["tapegate.code"],
        "Streams and connections that were ended because of their client before there was a call, by the error code \
         of HTTP/2 that the client received.";
    AUTH_REFUSALS = Counter, Stable, "tapegate.auth.refusals", "{call}", ["tapegate.reason"],
        "Calls of callers that were not authenticated, by the reason in the error.";
    TOKEN_CACHE = Counter, Experimental, "tapegate.auth.token_cache.lookups", "{lookup}", ["tapegate.result"],
        "Lookups of JSON Web Tokens in the cache of verified tokens: hit or miss.";
    KEY_FETCH_FAILURES = Counter, Stable, "tapegate.auth.key_fetch_failures", "{fetch}", [],
        "Failed fetches of an issuer's keys from its URL. Exists only if such a URL is configured.";
    KEYS_AGE = Gauge, Stable, "tapegate.auth.keys.age", "s", ["url.full"],
        "Time since an issuer's keys were last fetched from its URL. Absent before the first fetch.";
    EXPIRY = Gauge, Stable, "tapegate.expiry", "s", ["tapegate.kind"],
        "Time until the next of this kind expires; negative once it has: server_certificate (with its intermediate ones), client_ca (the next root certificate), or static_token (the next principal's last token). Exists for kinds that are configured.";
    POLICY_DECISIONS = Counter, Stable, "tapegate.policy.decisions", "{decision}", ["tapegate.decision"],
        "Policy decisions about calls: allow or deny.";
    TRIAL_DIFFERENCES = Counter, Stable, "tapegate.policy.trial_differences", "{decision}", [],
        "Decisions that the policies on trial (policy.trial) would have made differently.";
    LIMITS_REACHED = Counter, Stable, "tapegate.limits.reached", "{call}", ["tapegate.limit"],
        "Calls rejected because their caller reached one of its own limits, by the setting of that limit.";
    SHARED_LIMIT_REQUESTS = Counter, Stable, "tapegate.limits.shared.requests", "{request}", ["tapegate.result"],
        "Requests to the store of shared limits (limits.shared.url) by result: answered or failed.";
    AUDIT_LOST = Counter, Stable, "tapegate.audit.lost_records", "{record}", [],
        "Audit records that could not be written to the audit file. They are in the log, as errors.";
    LOG_LOST = Counter, Stable, "tapegate.log.lost_lines", "{line}", [],
        "Log lines that were lost because stderr did not take them in time (log.queue).";
    RELOADS = Counter, Stable, "tapegate.reloads", "{reload}", ["tapegate.setting", "tapegate.result"],
        "Reloads of changed files by result: applied, or refused because the files are not valid.";
    BROKEN_FILES = Gauge, Stable, "tapegate.files.broken", "", ["tapegate.setting"],
        "1 while a changed file is not valid and its previous content stays in force, otherwise 0.";
    ATTEMPT_DURATION = ATTEMPTS, Stable, "tapegate.upstream.attempt.duration", "s",
        ["cloud.region", "tapegate.account", "tapegate.operation", "tapegate.outcome", "error.type"],
        "Duration of an attempt, which is one request to AWS, by outcome: ok, throttled, error, no_answer (also if the call's deadline passed first), given_up (the caller cancelled the call or disconnected) or not_sent.";
    RETRIES = Counter, Stable, "tapegate.upstream.retries", "{attempt}", ["tapegate.operation", "tapegate.reason"],
        "Retries by their reason: throttling, no_answer or error.";
    RETRIES_ENDED = Counter, Stable, "tapegate.upstream.retries_ended", "{call}", ["tapegate.reason"],
        "Failed calls that were not retried again although a retry could have succeeded, by the limit that was reached: attempts, deadline or budget.";
    RETRY_BUDGET = Gauge, Stable, "tapegate.upstream.retry_budget", "{attempt}", ["cloud.region", "tapegate.account"],
        "Retries that the retry budget allows now (retry.budget_share, retry.budget_reserve). Each gateway has a budget of its own; of those in a region and account this is the smallest. Exists where AWS was called.";
    CONDITION = Gauge, Stable, "tapegate.upstream.condition", "", ["cloud.region", "tapegate.account", "tapegate.condition"],
        "1 while AWS is in this condition, otherwise 0: throttled, no_answer and credentials_refused as recent calls show it, credentials_missing if there are no AWS credentials for the account. Exists where AWS was called, and where credentials are missing.";
    PACE = Gauge, Stable, "tapegate.upstream.pace", "Hz", ["cloud.region", "tapegate.account", "tapegate.kind"],
        "Maximum rate of attempts while AWS throttles, for each kind of call (read or create). Absent while the rate is not limited.";
    PACED = Counter, Stable, "tapegate.upstream.paced_attempts", "{attempt}", [],
        "Attempts that waited because of the rate limit.";
    PACE_REFUSALS = Counter, Stable, "tapegate.upstream.pace_refusals", "{attempt}", [],
        "Attempts that were not sent, because the rate limit would have delayed them past the deadline or because of an AWS outage.";
    THROTTLED = Counter, Stable, "tapegate.upstream.throttled_attempts", "{attempt}", [],
        "Attempts that AWS throttled.";
    SHARED_READS = Counter, Stable, "tapegate.upstream.shared_reads", "{read}", [],
        "Reads that shared the response of an identical read in flight.";
    CREATES_UNHEARD = Counter, Stable, "tapegate.creates.unheard", "{create}", [],
        "Creates that ended after their call: the caller had cancelled it or disconnected, its deadline had passed, or a shutdown had cut it. The log has the outcome of each.";
    CREATES_LOOKED_UP = Counter, Stable, "tapegate.creates.looked_up", "{create}", [],
        "Creates whose barcode AWS rejected; the service then looked up the tape.";
    CREATES_RECONCILED = Counter, Stable, "tapegate.creates.reconciled", "{create}", [],
        "Creates that were reported as a success because the look-up found their own tape.";
    CREATES_UNCLEAR = Counter, Stable, "tapegate.creates.unclear", "{create}", [],
        "Creates that ended with the outcome unknown: their tapes may exist. The error tells the caller to retry.";
    TAGS_NOT_ADDED = Counter, Stable, "tapegate.tags.not_added", "{create}", [],
        "Creates whose tags could not be added to their tape (setting create.add_tags). The response names the tags.";
    CREDENTIALS_AGE = Gauge, Stable, "tapegate.aws_credentials.age", "s", ["tapegate.account"],
        "Time since the AWS credentials in use were obtained. Absent before that.";
    SPANS = Counter, Stable, "tapegate.telemetry.spans", "{span}", ["tapegate.result"],
        "Spans by result: ended (all spans), taken (the collector accepted them), failed (not exported) or dropped (the queue was full, OTEL_BSP_MAX_QUEUE_SIZE). The rest are queued.";
    LOG_RECORDS = Counter, Stable, "tapegate.telemetry.log_records", "{record}", ["tapegate.result"],
        "Log records for the collector by result: written (all log records), taken (the collector accepted them), failed (not exported) or dropped (the queue was full, OTEL_BLRP_MAX_QUEUE_SIZE). The rest are queued.";
    READY = Gauge, Stable, "tapegate.ready", "", [],
        "1 while the replica is ready, otherwise 0. /readyz has the reasons.";
    PROCESS_UPTIME = Gauge, Stable, "process.uptime", "s", [],
        "Time since the service started.";
    PROCESS_CPU_TIME = Counter, Stable, "process.cpu.time", "s", ["cpu.mode"],
        "Processor time used by the process, in user mode and in the kernel (system).";
    PROCESS_MEMORY = Gauge, Stable, "process.memory.usage", "By", [],
        "Resident memory of the process.";
    PROCESS_OPEN_FILES = Gauge, Stable, "process.unix.file_descriptor.count", "{file_descriptor}", [],
        "Open file descriptors.";
    PROCESS_MAX_FILES = Gauge, Stable, "tapegate.process.max_file_descriptors", "{file_descriptor}", [],
        "Limit of open file descriptors (ulimit -n).";
    TOKIO_WORKERS = Gauge, Experimental, "tokio.runtime.workers", "{thread}", [],
        "Worker threads of the runtime.";
    TOKIO_TASKS = Gauge, Experimental, "tokio.runtime.alive_tasks", "{task}", [],
        "Tasks that have not ended.";
    TOKIO_QUEUE = Gauge, Experimental, "tokio.runtime.global_queue_depth", "{task}", [],
        "Tasks in the global queue, which wait for a worker thread.";
    TOKIO_BUSY = Counter, Experimental, "tokio.runtime.worker.busy_time", "s", [],
        "Time that the worker threads spent running tasks.";
}
