use std::{future::pending, net::SocketAddr};

use aws_credential_types::Credentials;
use tapegate::{
    app::{
        Addresses, App, Cut,
        cli::{self, Command},
        commands::Checked,
        shutdown::Shutdown,
    },
    grpc::proto::tape_service_client::TapeServiceClient,
};
use tapegate_emulator::{Flags, Server, Variables};
use tokio::task::JoinHandle;
use tokio_util::sync::DropGuard;
use tonic::{
    Streaming,
    transport::{Channel, Endpoint},
};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse, health_client::HealthClient};

use super::Upstream;

/// What the service signs with before a scripted upstream.
const SECRET: &str = "secret-of-the-tests";

/// A service that runs in this process until it is stopped or dropped.
pub struct Service {
    pub addresses: Addresses,
    /// The emulator behind it, if it has one of its own.
    pub emulator: Option<SocketAddr>,
    channel: Channel,
    /// It stops when this is dropped.
    _stop: DropGuard,
    shutdown: Shutdown,
    ended: JoinHandle<Result<(), Cut>>,
}

impl Service {
    /// The service and an emulator in this process, with these flags of `tapegate dev`.
    pub async fn dev(flags: &[&str]) -> Self {
        let (of_emulator, of_service): (Vec<&str>, Vec<&str>) = flags
            .iter()
            .copied()
            .partition(|flag| flag.starts_with("--emulator-"));
        let emulator = clap::Command::new("emulator").args(Flags::EMBEDDED.arguments());
        let ours = ["emulator", "--emulator-listen=127.0.0.1:0"];
        let matches = emulator.get_matches_from(ours.into_iter().chain(of_emulator));
        let config = Flags::EMBEDDED.read(&matches, &Variables::new(), |_| Vec::new());
        let emulator = Server::bind(config.unwrap()).await.unwrap();
        let address = emulator.address();
        tokio::spawn(emulator.run(pending()));

        let ours = ["dev", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"];
        let calm = calm(&of_service);
        let matches = cli::dev_command().get_matches_from(ours.into_iter().chain(calm).chain(of_service));
        let mut checked = cli::dev(&matches, &Variables::new()).unwrap_or_else(|faults| panic!("{faults}"));
        let endpoint = format!("http://{address}");
        checked.config.sdk.sts_endpoint = Some(endpoint.clone());
        checked.config.sdk.endpoint = Some(endpoint);
        let service = Self::start(checked).await;
        Self {
            emulator: Some(address),
            ..service
        }
    }

    /// `tapegate serve` before this upstream, with these flags.
    pub async fn over(upstream: &Upstream, flags: &[&str]) -> Self {
        Self::at(&upstream.endpoint(), flags).await
    }

    /// `tapegate serve` before whatever is at this endpoint, with these flags.
    pub async fn at(endpoint: &str, flags: &[&str]) -> Self {
        Self::serve(
            endpoint,
            &[&["--allow-anonymous", "--region=us-east-1"], flags].concat(),
        )
        .await
    }

    /// `tapegate serve` before whatever is at this endpoint, with no more than these flags.
    pub async fn serve(endpoint: &str, flags: &[&str]) -> Self {
        let endpoint = format!("--upstream-endpoint={endpoint}");
        let ours = ["--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0", &endpoint];
        let calm: Vec<&str> = calm(flags).into_iter().collect();
        match command("serve", &[&ours[..], &calm, flags].concat()) {
            Command::Serve(checked) => Self::start(*checked).await,
            other => panic!("not serve: {other:?}"),
        }
    }

    async fn start(checked: Checked) -> Self {
        super::secrets::listen();
        let app = App::serve(checked, Some(credentials())).await.unwrap();
        let addresses = app.addresses();
        let shutdown = Shutdown::default();
        let ended = tokio::spawn(app.run(shutdown.clone()));
        let channel = endpoint(addresses).connect_lazy();
        Self {
            addresses,
            emulator: None,
            channel,
            _stop: shutdown.begin.clone().drop_guard(),
            shutdown,
            ended,
        }
    }

    /// A client over the one connection that all clients of this service share.
    pub fn client(&self) -> TapeServiceClient<Channel> {
        TapeServiceClient::new(self.channel.clone())
    }

    /// The connection itself, for calls that the client would not make.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Where a further connection goes, for a test that sets it up in its own way.
    pub fn endpoint(&self) -> Endpoint {
        endpoint(self.addresses)
    }

    /// Watches the health of the whole server.
    pub async fn watch_health(&self) -> Streaming<HealthCheckResponse> {
        let watched = HealthClient::new(self.channel())
            .watch(HealthCheckRequest::default())
            .await;
        watched.unwrap().into_inner()
    }

    /// The admin page at `path`: status and body.
    pub async fn admin(&self, path: &str) -> (u16, String) {
        let admin = self.addresses.admin;
        super::client::get(&format!("http://{admin}{path}")).await
    }

    /// Waits until `/readyz` says no.
    pub async fn not_ready(&self) {
        while self.admin("/readyz").await.0 != 503 {
            tokio::task::yield_now().await;
        }
    }

    /// Tells it to stop, as SIGTERM does.
    pub fn begin_stop(&mut self) {
        self.shutdown.begin.cancel();
    }

    /// Stops it and waits for its end.
    pub async fn stop(mut self) -> Result<(), Cut> {
        self.begin_stop();
        self.ended.await.unwrap()
    }
}

fn credentials() -> Credentials {
    super::secrets::plant(SECRET);
    Credentials::new("AKIDTEST", SECRET, None, None, "tests")
}

fn endpoint(addresses: Addresses) -> Endpoint {
    Endpoint::from_shared(format!("http://{}", addresses.grpc)).unwrap()
}

/// Many tests share the processors, so no call may be rejected because they are busy, unless the test is
/// about that.
fn calm(flags: &[&str]) -> Option<&'static str> {
    const FLAG: &str = "--max-scheduling-delay";
    let is_given = flags.iter().any(|flag| flag.starts_with(FLAG));
    (!is_given).then_some("--max-scheduling-delay=1h")
}

fn command(name: &str, flags: &[&str]) -> Command {
    let arguments = ["tapegate", name].into_iter().chain(flags.iter().copied());
    cli::parse(arguments, [("", ""); 0]).unwrap_or_else(|stop| panic!("{stop:?}"))
}
