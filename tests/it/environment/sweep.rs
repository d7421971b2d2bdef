//! `check`, `serve` and `dev` with every variable in four forms: empty, malformed, extreme, and with a
//! line end behind its value. Each works, or exits with 2 and the name of the variable.

use std::{path::Path, process::Stdio, sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use tapegate::{
    app::settings::library_variables,
    grpc::proto::{ListTapesRequest, tape_service_client::TapeServiceClient},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

use crate::harness::{Ca, Service};

/// How many programs run at once.
const AT_ONCE: usize = 4;

/// How long a program may take to start, to answer or to end. Only a broken one needs it.
const PATIENCE: Duration = Duration::from_secs(60);

const COMMANDS: [&str; 3] = ["check", "serve", "dev"];
const FORMS: [&str; 4] = ["empty", "malformed", "extreme", "line end"];

/// The variables that have no rule of their own.
const OTHERS: [&str; 13] = [
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_STORAGE_GATEWAY",
    "AWS_ENDPOINT_URL_STS",
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
];

/// What the programs of a sweep share.
struct Site {
    emulator: String,
    certificate: String,
}

/// What became of a program.
#[derive(Debug)]
enum Outcome {
    /// It ended with 0, or started and answered a call.
    Works,
    /// It ended with 2 and named the variable.
    Rejected,
    /// Anything else.
    Wrong(String),
}

/// A value that the variable is meant to have.
fn valid(name: &str, site: &Site) -> String {
    let value = match name {
        "AWS_ENDPOINT_URL" | "AWS_ENDPOINT_URL_STORAGE_GATEWAY" => &site.emulator,
        "AWS_CA_BUNDLE" | "SSL_CERT_FILE" => &site.certificate,
        "SSL_CERT_DIR" => {
            return Path::new(&site.certificate)
                .parent()
                .unwrap()
                .display()
                .to_string();
        }
        "RUST_MIN_STACK" => "2097152",
        "AWS_REGION" | "AWS_DEFAULT_REGION" => "us-east-1",
        "AWS_ACCESS_KEY_ID" => "AKIDTEST",
        "AWS_SECRET_ACCESS_KEY" | "AWS_SESSION_TOKEN" | "AWS_CONTAINER_AUTHORIZATION_TOKEN" => {
            "secret-of-the-tests"
        }
        "AWS_ACCOUNT_ID" => "123456789012",
        "AWS_ACCOUNT_ID_ENDPOINT_MODE" => "preferred",
        "AWS_REQUEST_CHECKSUM_CALCULATION" | "AWS_RESPONSE_CHECKSUM_VALIDATION" => "when_required",
        "AWS_ROLE_ARN" => "arn:aws:iam::123456789012:role/tapegate",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI" => "/v2/credentials",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE" => "IPv6",
        "AWS_RETRY_MODE" => "legacy",
        "NO_PROXY" | "no_proxy" => "localhost,.example.com",
        "OTEL_TRACES_SAMPLER" => "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG" => "0.5",
        "OTEL_RESOURCE_ATTRIBUTES" => "site=berlin",
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE" => "delta",
        _ if name.starts_with("OTEL_EXPORTER_OTLP") && name.ends_with("_HEADERS") => "authorization=secret",
        _ if name.starts_with("OTEL_EXPORTER_OTLP") && name.ends_with("PROTOCOL") => "grpc",
        _ if name.ends_with("COMPRESSION") && name.starts_with("OTEL") => "gzip",
        _ if name.ends_with("_EXPORTER") => "otlp",
        _ if name.ends_with("_INSECURE") || name.ends_with("DISABLED") || is_flag(name) => "true",
        _ if is_number(name) => "7",
        // Nothing listens there.
        _ if name.to_ascii_uppercase().ends_with("_PROXY") || is_url(name) => "http://127.0.0.1:1",
        _ => "some-name",
    };
    value.to_owned()
}

fn is_url(name: &str) -> bool {
    name.starts_with("AWS_ENDPOINT_URL")
        || name.ends_with("_ENDPOINT")
        || name == "AWS_CONTAINER_CREDENTIALS_FULL_URI"
}

fn is_flag(name: &str) -> bool {
    name.starts_with("AWS_USE_") || name.starts_with("AWS_DISABLE_") || name.starts_with("AWS_IGNORE_")
}

fn is_number(name: &str) -> bool {
    [
        "_TIMEOUT",
        "_SIZE",
        "_BYTES",
        "_DELAY",
        "_EXPORTS",
        "_INTERVAL",
        "_LIMIT",
        "_THREADS",
        "_ATTEMPTS",
    ]
    .iter()
    .any(|end| name.ends_with(end))
}

fn value(name: &str, form: &str, site: &Site) -> String {
    let long = || "x".repeat(60_000);
    match form {
        "empty" => String::new(),
        "malformed" => "\u{1}no \u{2603} sense\u{7f}".to_owned(),
        "extreme" if is_number(name) => u64::MAX.to_string(),
        "extreme" if is_url(name) => format!("http://{}.example/", long()),
        "extreme" => long(),
        _ => valid(name, site) + "\n",
    }
}

/// The program with this variable; where it serves gRPC is on its standard output.
fn start(command: &str, name: &str, value: &str, site: &Site) -> Child {
    let mut program = Command::new(env!("CARGO_BIN_EXE_tapegate"));
    program.env_clear().env("HOME", "/nonexistent");
    program.args([command, "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"]);
    if command == "dev" {
        program.arg("--emulator-listen=127.0.0.1:0");
    } else {
        program.arg("--allow-anonymous");
        if !name.ends_with("_REGION") || value.is_empty() {
            program.arg("--region=us-east-1");
        }
        let is_endpoint = matches!(name, "AWS_ENDPOINT_URL" | "AWS_ENDPOINT_URL_STORAGE_GATEWAY");
        if !is_endpoint || value.is_empty() {
            program.arg(format!("--upstream-endpoint={}", site.emulator));
        }
        program.env("AWS_ACCESS_KEY_ID", "AKIDTEST");
        program.env("AWS_SECRET_ACCESS_KEY", "secret-of-the-tests");
    }
    program
        .env(name, value)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

async fn outcome(command: &str, name: &str, value: &str, site: &Site) -> Outcome {
    let mut program = start(command, name, value, site);
    let mut first = String::new();
    let mut stdout = BufReader::new(program.stdout.take().unwrap());
    if command != "check" && timeout(PATIENCE, stdout.read_line(&mut first)).await.is_err() {
        return Outcome::Wrong("it neither started nor ended".to_owned());
    }
    let address = first
        .split_whitespace()
        .find_map(|word| word.strip_prefix("grpc="));
    if let Some(address) = address {
        return match timeout(PATIENCE, call(address)).await {
            Ok(Ok(())) => Outcome::Works,
            failed => Outcome::Wrong(format!("it started, but: {failed:?}")),
        };
    }
    let mut rest = Vec::new();
    let mut stderr = String::new();
    let ended = async {
        let mut errors = program.stderr.take().unwrap();
        let read = tokio::join!(stdout.read_to_end(&mut rest), errors.read_to_string(&mut stderr));
        (read, program.wait().await)
    };
    let Ok((_, Ok(status))) = timeout(PATIENCE, ended).await else {
        return Outcome::Wrong("it did not end".to_owned());
    };
    match status.code() {
        Some(0) => Outcome::Works,
        Some(2) if stderr.contains(name) => Outcome::Rejected,
        code => Outcome::Wrong(format!(
            "exit {code:?}: {}",
            &stderr[..stderr.floor_char_boundary(2000)]
        )),
    }
}

async fn call(address: &str) -> Result<(), Box<dyn std::error::Error>> {
    let mut client = TapeServiceClient::connect(format!("http://{address}")).await?;
    let request = ListTapesRequest {
        max_items: 1,
        ..Default::default()
    };
    let mut pages = client.list_tapes(request).await?.into_inner();
    let page = pages.message().await?.ok_or("no message")?;
    (page.tape_infos.len() == 1)
        .then_some(())
        .ok_or_else(|| format!("{page:?}").into())
}

/// Whether the command has to work: an empty variable is not set, a line end does not count, and
/// `dev` uses nothing of AWS.
fn must_work(command: &str, name: &str, form: &str) -> bool {
    let is_of_dev = ["OTEL_", "TOKIO_", "RUST_"]
        .iter()
        .any(|prefix| name.starts_with(prefix));
    // Half a pair of keys is a mistake.
    let is_half = form == "empty" && matches!(name, "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY");
    (form == "empty" && !is_half) || form == "line end" || (command == "dev" && !is_of_dev)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_variable_in_every_form_works_or_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = folder.path().join("roots.pem");
    std::fs::write(&certificate, Ca::new("roots").pem()).unwrap();
    let upstream = Service::dev(&[]).await;
    let site = Arc::new(Site {
        emulator: format!("http://{}", upstream.emulator.unwrap()),
        certificate: certificate.display().to_string(),
    });
    let names: Vec<_> = library_variables().map(|(name, _)| name).chain(OTHERS).collect();
    let all = names
        .iter()
        .flat_map(|name| FORMS.map(|form| (*name, form)))
        .flat_map(|(name, form)| COMMANDS.map(|command| (name, form, command)));
    let outcomes: Vec<_> = stream::iter(all)
        .map(|(name, form, command)| {
            let site = site.clone();
            tokio::spawn(async move {
                let value = value(name, form, &site);
                (name, form, command, outcome(command, name, &value, &site).await)
            })
        })
        .buffer_unordered(AT_ONCE)
        .map(Result::unwrap)
        .collect()
        .await;
    let (mut works, mut rejected, mut wrong) = (0, 0, Vec::new());
    for (name, form, command, outcome) in &outcomes {
        match outcome {
            Outcome::Works => works += 1,
            Outcome::Rejected if !must_work(command, name, form) => rejected += 1,
            Outcome::Rejected => wrong.push(format!("{name} {form}, {command}: rejected")),
            Outcome::Wrong(why) => wrong.push(format!("{name} {form}, {command}: {why}")),
        }
    }
    // What check accepts, serve can use.
    for (name, form, command, outcome) in &outcomes {
        if *command == "check" {
            let serves = outcomes.iter().any(|(n, f, c, other)| {
                (n, f, *c) == (name, form, "serve") && matches!(other, Outcome::Works)
            });
            if matches!(outcome, Outcome::Works) != serves {
                wrong.push(format!("{name} {form}: check and serve differ"));
            }
        }
    }
    wrong.sort();
    println!(
        "{} variables in {} forms by {} commands: {works} work, {rejected} are rejected by name",
        names.len(),
        FORMS.len(),
        COMMANDS.len()
    );
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        outcomes.len(),
        wrong.join("\n")
    );
    assert_eq!(outcomes.len(), names.len() * FORMS.len() * COMMANDS.len());
}
