//! Every metric there is, with its name, unit, stability and the attributes that it may carry.

use super::{
    Definition,
    Kind::{self, Counter, Gauge, Histogram},
    Stability,
};

/// For what callers wait for, in seconds: the bounds of OpenTelemetry's conventions, and those
/// that a stream may take.
const CALLS: Kind = Histogram(&[
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0, 60.0, 300.0, 900.0,
]);

/// For one attempt, in seconds: its bound is 20 s or 30 s unless set otherwise.
const ATTEMPTS: Kind = Histogram(&[
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0,
]);

macro_rules! metrics {
    ($($constant:ident = $kind:expr, $stability:ident, $name:literal, $unit:literal, [$($attribute:literal),*], $what:literal;)*) => {
        $(
            #[doc = $what]
            pub static $constant: Definition = Definition {
                name: $name,
                kind: $kind,
                unit: $unit,
                stability: Stability::$stability,
                attributes: &[$($attribute),*],
                what: $what,
            };
        )*

        /// All of them, in the order of the documentation.
        pub static ALL: &[&Definition] = &[$(&$constant),*];
    };
}

metrics! {
    CALL_DURATION = CALLS, Stable, "rpc.server.call.duration", "s",
        ["rpc.system.name", "rpc.method", "rpc.response.status_code", "error.type", "tapegate.fault_owner"],
        "How long a call took, to the last byte of its response. `tapegate.fault_owner` of a failed call is the party that can fix it: caller, unauthenticated (the caller was not authenticated), deadline (the deadline passed, and it is not known who can fix it), gateway, aws or service.";
    ACTIVE_CALLS = Gauge, Stable, "tapegate.server.active_calls", "{call}", ["rpc.method"],
        "Calls in progress, streams among them.";
    FIRST_MESSAGE = CALLS, Stable, "tapegate.server.first_message.duration", "s", ["rpc.method"],
        "How long a caller waited for the first message of an answer.";
    PAGES = Counter, Stable, "tapegate.list.pages", "{page}", ["tapegate.operation"],
        "Pages of lists that were sent to callers.";
    TAPES = Counter, Stable, "tapegate.list.tapes", "{tape}", ["tapegate.operation"],
        "Tapes in them.";
    HIDDEN_TAPES = Counter, Stable, "tapegate.list.hidden_tapes", "{tape}", [],
        "Tapes that were left out of lists because policies do not let the caller read them.";
    SHED = Counter, Stable, "tapegate.server.shed_calls", "{call}", [],
        "Calls that were refused because there were too many (max_concurrent_calls).";
    CONNECTIONS = Counter, Stable, "tapegate.server.connections", "{connection}", ["tapegate.result"],
        "Connections by what became of them: accepted, refused (max_connections), handshake_failed.";
    OPEN_CONNECTIONS = Gauge, Stable, "tapegate.server.open_connections", "{connection}", [],
        "Connections that are open.";
    AUTH_REFUSALS = Counter, Stable, "tapegate.auth.refusals", "{call}", ["tapegate.reason"],
        "Calls whose caller was not let in, by the reason that it was told.";
    TOKEN_CACHE = Counter, Experimental, "tapegate.auth.token_cache.lookups", "{lookup}", ["tapegate.result"],
        "JSON Web Tokens that were looked for among those verified before: hit or miss.";
    KEY_FETCH_FAILURES = Counter, Stable, "tapegate.auth.key_fetch_failures", "{fetch}", [],
        "Fetches of an issuer's keys from its URL that failed. There where a URL is configured.";
    POLICY_DECISIONS = Counter, Stable, "tapegate.policy.decisions", "{decision}", ["tapegate.decision"],
        "Calls that policies decided: allow or deny.";
    TRIAL_DIFFERENCES = Counter, Stable, "tapegate.policy.trial_differences", "{decision}", [],
        "Decisions that the policies on trial would have made otherwise (policy.trial).";
    LIMITS_REACHED = Counter, Stable, "tapegate.limits.reached", "{call}", ["tapegate.limit"],
        "Calls that were refused because their caller had reached a limit of its own, by the setting.";
    AUDIT_LOST = Counter, Stable, "tapegate.audit.lost_records", "{record}", [],
        "Audit records that the file did not take; they are in the log, as errors.";
    RELOADS = Counter, Stable, "tapegate.reloads", "{reload}", ["tapegate.setting", "tapegate.result"],
        "Files that had changed and were read again: applied, or refused because something is wrong with them.";
    BROKEN_FILES = Gauge, Stable, "tapegate.files.broken", "", ["tapegate.setting"],
        "1 while a file as it is now cannot be used, and what it said before is in force; 0 while it can.";
    ATTEMPT_DURATION = ATTEMPTS, Stable, "tapegate.upstream.attempt.duration", "s",
        ["tapegate.operation", "tapegate.outcome", "error.type"],
        "How long an attempt at AWS took. The outcome is ok, throttled, error, no_answer (also where the call's deadline came first), given_up by the caller, or not_sent.";
    RETRIES = Counter, Stable, "tapegate.upstream.retries", "{attempt}", ["tapegate.operation", "tapegate.reason"],
        "Attempts that repeat another: after throttling, no_answer or an error.";
    RETRIES_ENDED = Counter, Stable, "tapegate.upstream.retries_ended", "{call}", ["tapegate.reason"],
        "Calls that were not repeated though it could have helped, for want of attempts, of time (deadline) or of budget.";
    RETRY_BUDGET = Gauge, Stable, "tapegate.upstream.retry_budget", "{attempt}", [],
        "How many repeats all calls together have left now (retry.budget_share, retry.budget_reserve).";
    CONDITION = Gauge, Stable, "tapegate.upstream.condition", "", ["cloud.region", "tapegate.condition"],
        "1 while AWS is in this condition, by recent calls: throttled, or no_answer; 0 while it is not. There for regions that were called.";
    PACE = Gauge, Stable, "tapegate.upstream.pace", "Hz", ["cloud.region", "tapegate.kind"],
        "How many attempts a second are let through, where AWS throttled: read or create. Not there where nothing is paced. With several accounts the slowest.";
    PACED = Counter, Stable, "tapegate.upstream.paced_attempts", "{attempt}", [],
        "Attempts that had to wait for their turn.";
    PACE_REFUSALS = Counter, Stable, "tapegate.upstream.pace_refusals", "{attempt}", [],
        "Attempts that were not made because their turn would have come too late, or AWS is away.";
    THROTTLED = Counter, Stable, "tapegate.upstream.throttled_attempts", "{attempt}", [],
        "Attempts that AWS throttled.";
    SHARED_READS = Counter, Stable, "tapegate.upstream.shared_reads", "{read}", [],
        "Reads that got the page of another one in flight.";
    CREATES_UNHEARD = Counter, Stable, "tapegate.creates.unheard", "{create}", [],
        "Creates that ended after their caller had gone; the log says how.";
    CREATES_LOOKED_UP = Counter, Stable, "tapegate.creates.looked_up", "{create}", [],
        "Creates whose barcode AWS refused, and whose tape was looked for.";
    CREATES_RECONCILED = Counter, Stable, "tapegate.creates.reconciled", "{create}", [],
        "Creates that were told of success because the tape was found to be their own.";
    CREATES_UNCLEAR = Counter, Stable, "tapegate.creates.unclear", "{create}", [],
        "Creates that ended while it was not known whether their tapes were made: their outcome is unknown, and the caller was told to send them again.";
    CREDENTIALS_AGE = Gauge, Stable, "tapegate.aws_credentials.age", "s", [],
        "How long ago the AWS credentials in use were obtained. Not there before there are any.";
    SPANS = Counter, Stable, "tapegate.telemetry.spans", "{span}", ["tapegate.result"],
        "Spans that ended, and those of them that were taken by the collector, failed to be sent, or were dropped because too many waited (OTEL_BSP_MAX_QUEUE_SIZE). The rest wait.";
    LOG_RECORDS = Counter, Stable, "tapegate.telemetry.log_records", "{record}", ["tapegate.result"],
        "Log records that were written for the collector, and those of them that were taken by it, failed to be sent, or were dropped because too many waited (OTEL_BLRP_MAX_QUEUE_SIZE). The rest wait.";
    READY = Gauge, Stable, "tapegate.ready", "", [],
        "1 while the replica is ready, 0 while it is not; /readyz says why.";
    PROCESS_UPTIME = Gauge, Stable, "process.uptime", "s", [],
        "How long the service has been running.";
    PROCESS_CPU_TIME = Counter, Stable, "process.cpu.time", "s", ["cpu.mode"],
        "Processor time that the process used, in user mode and in the kernel (system).";
    PROCESS_MEMORY = Gauge, Stable, "process.memory.usage", "By", [],
        "Memory of the process that is resident.";
    PROCESS_OPEN_FILES = Gauge, Stable, "process.unix.file_descriptor.count", "{file_descriptor}", [],
        "File descriptors that are open.";
    PROCESS_MAX_FILES = Gauge, Stable, "tapegate.process.max_file_descriptors", "{file_descriptor}", [],
        "How many may be (ulimit -n).";
    TOKIO_WORKERS = Gauge, Experimental, "tokio.runtime.workers", "{thread}", [],
        "Threads that run tasks.";
    TOKIO_TASKS = Gauge, Experimental, "tokio.runtime.alive_tasks", "{task}", [],
        "Tasks that have not ended.";
    TOKIO_QUEUE = Gauge, Experimental, "tokio.runtime.global_queue_depth", "{task}", [],
        "Tasks in the global queue, waiting for a thread.";
    TOKIO_BUSY = Counter, Experimental, "tokio.runtime.worker.busy_time", "s", [],
        "Time that the threads spent running tasks.";
}
