//! The replicas of the service.

use std::{sync::Arc, time::Duration};

use aws_credential_types::Credentials;
use tapegate::app::{
    App,
    cli::{self, Command},
    commands::Checked,
    shutdown::Shutdown,
};
use tokio::sync::watch;

use super::{
    aws,
    history::{Event, History},
    network::Simulated,
};

/// The port of callers.
pub const PORT: u16 = 50051;

/// How long a replica may take to stop.
pub const DRAIN: Duration = Duration::from_secs(10);

/// A replica. It outlives the host that runs it.
#[derive(Clone)]
pub struct Replica {
    pub host: String,
    settings: Arc<Checked>,
    history: History,
    /// The key that it signs with from its next start on.
    key: watch::Sender<String>,
    /// Tells the one that runs to stop.
    shutdown: watch::Sender<Shutdown>,
}

/// The secret of every key.
pub const SECRET: &str = "secret-of-the-simulation";

impl Replica {
    pub fn new(number: usize, key: &str, flags: &[String], history: History) -> Self {
        let ours = [
            "tapegate",
            "serve",
            "--listen=127.0.0.1:50051",
            "--admin-listen=127.0.0.1:0",
            "--allow-anonymous",
            "--region=us-east-1",
        ];
        let arguments = ours.into_iter().chain(flags.iter().map(String::as_str));
        let mut settings = match cli::parse(arguments, [("", ""); 0]) {
            Ok(Command::Serve(settings)) => settings,
            other => panic!("not serve: {other:?}"),
        };
        settings.config.sdk.endpoint = Some(format!("http://{}:{}", aws::HOST, aws::PORT));
        Self {
            host: format!("replica-{number}"),
            settings: Arc::from(settings),
            history,
            key: watch::Sender::new(key.to_owned()),
            shutdown: watch::Sender::default(),
        }
    }

    /// Runs the service on the host that calls this, until it is told to stop.
    pub async fn run(self) -> turmoil::Result {
        let shutdown = Shutdown::default();
        self.shutdown.send_replace(shutdown.clone());
        let key = self.key.borrow().clone();
        let credentials = Credentials::new(&key, SECRET, None, None, "simulation");
        let app = App::serve_on(&Simulated, Checked::clone(&self.settings), Some(credentials)).await?;
        let ended = app.run(shutdown).await;
        let ended = ended.map_or_else(|cut| cut.to_string(), |()| "all calls have ended".to_owned());
        self.history
            .add(Event::Fault(format!("{} has stopped: {ended}", self.host)));
        Ok(())
    }

    /// Tells it to stop, as SIGTERM does.
    pub fn stop(&self) {
        self.shutdown.borrow().begin.cancel();
    }

    /// The key that it signs with.
    pub fn key(&self) -> String {
        self.key.borrow().clone()
    }

    /// Gives it another key, for its next start.
    pub fn set_key(&self, key: &str) {
        self.key.send_replace(key.to_owned());
    }
}
