//! What a call costs: tapegate beside the bare SDK, a bare façade of tonic, and façades in Go and Python.
//!
//! `benches/run` builds what takes part and runs this; docs/performance.md explains what it prints.
#![allow(clippy::print_stdout, reason = "it reports to a person")]

mod bounds;
mod callers;
mod collector;
mod compare;
mod facade;
mod growth;
mod instructions;
mod lists;
mod part;
mod participant;
#[path = "../../process/processor_time.rs"]
mod processor_time;
mod report;
mod site;
mod starts;
mod target;
mod train;
mod upstream;

use std::{
    fs,
    io::{self, Write},
    process::ExitCode,
};

use aws_credential_types::Credentials;
use aws_sdk_storagegateway::{
    Client, Config,
    config::{BehaviorVersion, Region, retry::RetryConfig},
};
use clap::{Arg, ArgMatches, Command};
use target::Target;
use tokio::net::TcpListener;

/// The gateway of all calls.
const GATEWAY: &str = "arn:aws:storagegateway:us-east-1:123456789012:gateway/sgw-12A3456B";

/// The credentials that all sign with.
const CREDENTIALS: (&str, &str) = ("AKIDBENCH", "secret-of-the-benchmark");

#[tokio::main]
async fn main() -> ExitCode {
    match run(&command_line().get_matches()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "tapegate-cost: {error}");
            ExitCode::FAILURE
        }
    }
}

fn command_line() -> Command {
    let role = |name: &'static str| Command::new(name).hide(true);
    let text = |name: &'static str| Arg::new(name).long(name);
    Command::new("tapegate-cost")
        .about("Measures what a call costs")
        .subcommand_required(true)
        .subcommand(compare::command())
        .subcommand(growth::command())
        .subcommand(instructions::command())
        .subcommand(lists::command())
        .subcommand(starts::command())
        .subcommand(train::command())
        .subcommand(role("upstream"))
        .subcommand(role("collector"))
        .subcommand(
            role("part")
                .arg(Arg::new("part").required(true))
                .arg(text("times").required(true)),
        )
        .subcommand(role("facade").arg(text("upstream").required(true)))
        .subcommand(role("callers").args([
            text("sdk"),
            text("grpc"),
            text("ca"),
            text("tokens"),
            text("connections").default_value("4"),
        ]))
}

async fn run(matches: &ArgMatches) -> Result<(), String> {
    match matches.subcommand() {
        Some(("compare", matches)) => tokio::task::block_in_place(|| compare::run(matches)),
        Some(("instructions", matches)) => tokio::task::block_in_place(|| instructions::run(matches)),
        Some(("growth", _)) => tokio::task::block_in_place(growth::run),
        Some(("lists", matches)) => tokio::task::block_in_place(|| lists::run(matches)),
        Some(("starts", matches)) => tokio::task::block_in_place(|| starts::run(matches)),
        Some(("train", matches)) => tokio::task::block_in_place(|| train::run(matches)),
        Some(("upstream", _)) => upstream::serve().await,
        Some(("collector", _)) => Err(collector::serve(listen("collector").await?).await.to_string()),
        Some(("part", matches)) => part::run(matches),
        Some(("facade", matches)) => facade::serve(word(matches, "upstream").unwrap_or_default()).await,
        Some(("callers", matches)) => callers::serve(target_of(matches).await?).await,
        _ => Err("unknown command".to_owned()),
    }
}

async fn target_of(matches: &ArgMatches) -> Result<Target, String> {
    if let Some(upstream) = word(matches, "sdk") {
        return Ok(Target::sdk(upstream));
    }
    let address = word(matches, "grpc").ok_or("callers need --sdk or --grpc")?;
    let tokens = match word(matches, "tokens") {
        None => String::new(),
        Some(path) => fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?,
    };
    let connections = word(matches, "connections").and_then(|number| number.parse().ok());
    Target::grpc(address, word(matches, "ca"), &tokens, connections.unwrap_or(1)).await
}

fn word<'m>(matches: &'m ArgMatches, name: &str) -> Option<&'m str> {
    matches.get_one::<String>(name).map(String::as_str)
}

/// The SDK as anybody would use it, without retries.
fn sdk(upstream: &str) -> Client {
    let (id, secret) = CREDENTIALS;
    Client::from_conf(
        Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::from_keys(id, secret, None))
            .endpoint_url(format!("http://{upstream}"))
            .retry_config(RetryConfig::disabled())
            .build(),
    )
}

/// Listens on a free port, and prints the address under this name.
async fn listen(name: &str) -> Result<TcpListener, String> {
    let failed = |error: io::Error| error.to_string();
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    announce(&format!("{name}={address}"));
    Ok(listener)
}

/// Prints a line that another process waits for.
fn announce(line: &str) {
    let mut output = io::stdout().lock();
    // If nobody reads it, nobody waits for it.
    let _ = writeln!(output, "{line}").and_then(|()| output.flush());
}
