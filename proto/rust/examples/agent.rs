//! A backup agent: creates tapes exactly once, waits until they are available, and lists all tapes.
//!
//! `agent create` stores its request, with the token, before the first attempt. If it is interrupted, the same command
//! goes on with that request, so no tape is made twice: within ten minutes, as AWS does not say how long it remembers a
//! token.
//!
//! It reads `TAPEGATE_ADDRESS` (host and port), `TAPEGATE_CA` (a PEM file; without it, plain text) and
//! `TAPEGATE_TOKEN_FILE` (a bearer token).

use std::{
    collections::HashSet,
    env,
    error::Error as StdError,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    pin::pin,
    process::ExitCode,
    time::Duration,
};

use clap::{Parser, Subcommand};
use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use tapegate_client::{
    Error, Retry, Retrying, Verdict, endpoint,
    pb::{
        CreateTapesRequest, DescribeTapesRequest, ListTapesRequest, PoolId, Tape, TapeStatus,
        create_tapes_request::Pool, tape_service_client::TapeServiceClient,
    },
    repeat, walk,
};
use tokio::time::sleep;
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Certificate, Channel, ClientTlsConfig},
};
use uuid::Uuid;

type Client = TapeServiceClient<Retrying<InterceptedService<Channel, Identity>>>;

const GIB: i64 = 1 << 30;
const DEADLINE: Duration = Duration::from_secs(30);

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Creates tapes, and waits until they are available.
    Create {
        /// The ARN of the gateway.
        #[arg(long)]
        gateway: String,
        /// The first letters of the barcodes.
        #[arg(long)]
        prefix: String,
        #[arg(long, default_value_t = 1)]
        count: i32,
        /// The size of each tape.
        #[arg(long, default_value_t = 100)]
        gib: i64,
        /// GLACIER or DEEP_ARCHIVE, or the ID of a custom pool.
        #[arg(long, default_value = "GLACIER")]
        pool: String,
        /// The file that has the request while it is not finished.
        #[arg(long)]
        pending: PathBuf,
        /// How long to try, in seconds.
        #[arg(long, default_value_t = 120)]
        give_up: u64,
    },
    /// Prints the ARN of each tape.
    List {
        /// How long to try when no page arrives, in seconds.
        #[arg(long, default_value_t = 120)]
        give_up: u64,
    },
}

/// What `agent create` has begun.
#[derive(Serialize, Deserialize)]
struct Pending {
    client_token: String,
    gateway: String,
    prefix: String,
    count: i32,
    gib: i64,
    pool: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::List { give_up } => list(Duration::from_secs(give_up)).await,
        Command::Create {
            gateway,
            prefix,
            count,
            gib,
            pool,
            pending,
            give_up,
        } => {
            let request = Pending {
                client_token: Uuid::new_v4().to_string(),
                gateway,
                prefix,
                count,
                gib,
                pool,
            };
            create(request, &pending, Duration::from_secs(give_up)).await
        }
    };
    let Err(error) = done else {
        return ExitCode::SUCCESS;
    };
    say(&mut io::stderr(), &format!("agent: {error}"));
    match error.downcast_ref::<Error>() {
        Some(error) if error.verdict == Verdict::SameCall => {
            say(&mut io::stderr(), "agent: run the same command again");
            ExitCode::from(2)
        }
        _ => ExitCode::FAILURE,
    }
}

async fn create(new: Pending, file: &Path, give_up: Duration) -> Result<(), Box<dyn StdError>> {
    // Whether an attempt may have created the tapes.
    let (pending, mut is_uncertain) = match fs::read(file) {
        Ok(text) => (serde_json::from_slice(&text)?, true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            store(file, &new)?;
            (new, false)
        }
        Err(error) => return Err(error.into()),
    };
    let client = connect()?;
    let request = CreateTapesRequest {
        gateway_arn: pending.gateway.clone(),
        tape_size_in_bytes: pending.gib * GIB,
        client_token: pending.client_token,
        num_tapes_to_create: pending.count,
        tape_barcode_prefix: pending.prefix,
        pool: Some(match pending.pool.as_str() {
            "GLACIER" => Pool::PoolId(PoolId::Glacier.into()),
            "DEEP_ARCHIVE" => Pool::PoolId(PoolId::DeepArchive.into()),
            custom => Pool::CustomPoolId(custom.to_owned()),
        }),
        ..Default::default()
    };
    let deadline = DEADLINE.min(give_up);
    let created = repeat(give_up, async || {
        let mut request = Request::new(request.clone());
        request.set_timeout(deadline);
        let response = client.clone().create_tapes(request).await;
        if let Err(status) = &response {
            is_uncertain |= Error::from(status.clone()).may_have_created();
        }
        response
    });
    let created = match created.await {
        Ok(response) => response.into_inner().tape_arns,
        Err(error) => {
            if !is_uncertain && error.verdict != Verdict::SameCall {
                fs::remove_file(file)?;
            }
            return Err(error.into());
        }
    };
    wait_until_available(&client, &pending.gateway, &created, give_up).await?;
    say(
        &mut io::stdout(),
        &serde_json::json!({ "tapes": created }).to_string(),
    );
    fs::remove_file(file)?;
    Ok(())
}

async fn wait_until_available(
    client: &Client,
    gateway: &str,
    tapes: &[String],
    give_up: Duration,
) -> Result<(), Error> {
    let mut pause = Duration::from_secs(1);
    loop {
        let request = DescribeTapesRequest {
            gateway_arn: gateway.to_owned(),
            tape_arns: tapes.to_owned(),
            ..Default::default()
        };
        let mut pages = pin!(walk(client.clone(), request, give_up));
        let mut available = 0;
        while let Some(page) = pages.try_next().await? {
            let statuses = page.tapes.iter().map(Tape::tape_status);
            available += statuses.filter(|status| *status == TapeStatus::Available).count();
        }
        if available == tapes.len() {
            return Ok(());
        }
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(5));
    }
}

async fn list(give_up: Duration) -> Result<(), Box<dyn StdError>> {
    // A tape that changes meanwhile can be on two pages.
    let mut shown = HashSet::new();
    let mut pages = pin!(walk(connect()?, ListTapesRequest::default(), give_up));
    while let Some(page) = pages.try_next().await? {
        for tape in page.tape_infos {
            if !shown.contains(&tape.tape_arn) {
                say(&mut io::stdout(), &tape.tape_arn);
                shown.insert(tape.tape_arn);
            }
        }
    }
    Ok(())
}

fn connect() -> Result<Client, Box<dyn StdError>> {
    let address = env::var("TAPEGATE_ADDRESS").unwrap_or_else(|_| "127.0.0.1:50051".to_owned());
    let mut channel = endpoint(&format!("http://{address}"))?;
    if let Some(ca) = env::var_os("TAPEGATE_CA") {
        let roots = Certificate::from_pem(fs::read(ca)?);
        channel = endpoint(&format!("https://{address}"))?
            .tls_config(ClientTlsConfig::new().ca_certificate(roots))?;
    }
    let identity = Identity {
        token_file: env::var_os("TAPEGATE_TOKEN_FILE").map(PathBuf::from),
        trace: Uuid::new_v4(),
    };
    let channel = InterceptedService::new(channel.connect_lazy(), identity);
    Ok(TapeServiceClient::new(Retry::default().over(channel)))
}

/// The metadata of each attempt: the token, which is read from its file so that it can be replaced, and the trace of
/// this command.
#[derive(Clone)]
struct Identity {
    token_file: Option<PathBuf>,
    trace: Uuid,
}

impl Interceptor for Identity {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let metadata = request.metadata_mut();
        if let Some(file) = &self.token_file {
            let token = fs::read_to_string(file)
                .map_err(|error| Status::unauthenticated(format!("{}: {error}", file.display())))?;
            let value: MetadataValue<Ascii> = format!("Bearer {}", token.trim())
                .parse()
                .map_err(|_| Status::unauthenticated(format!("{} has no token", file.display())))?;
            metadata.insert("authorization", value);
        }
        let (_, span) = Uuid::new_v4().as_u64_pair();
        let traceparent = format!("00-{}-{span:016x}-01", self.trace.simple());
        if let Ok(value) = traceparent.parse() {
            metadata.insert("traceparent", value);
        }
        Ok(request)
    }
}

/// Writes the request so that it is on the disk as a whole, or not at all.
fn store(file: &Path, pending: &Pending) -> io::Result<()> {
    let new = file.with_extension("new");
    let mut writing = File::create(&new)?;
    writing.write_all(&serde_json::to_vec(pending)?)?;
    writing.sync_all()?;
    fs::rename(new, file)?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Writes a line. A reader that has gone ends the program.
fn say(to: &mut dyn Write, line: &str) {
    if writeln!(to, "{line}").is_err() {
        std::process::exit(1);
    }
}
