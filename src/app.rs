//! The composition root: from a configuration to something that runs.
//!
//! Only `main` and the tests call it. [`App`] is bound first, so that its addresses are
//! known, and then run until it is told to stop.

mod access;
mod check;
pub mod cli;
pub mod commands;
mod http_server;
mod metrics;
mod service;
pub mod settings;
pub mod shutdown;

use std::{fmt, io, net::SocketAddr, path::PathBuf};

use aws_credential_types::Credentials;
use secrecy::ExposeSecret;
use tokio::net::TcpListener;

pub use self::service::Cut;
use self::{
    commands::{Checked, Dev, Standalone},
    http_server::{Bound, Face},
    service::Service,
};
use crate::{
    access::audit::CannotRecord,
    emulator::{Emulator, StateError, StateFile},
    observability::telemetry::CannotExport,
};

/// What runs in this process: the service, the emulator, or both.
pub struct App {
    service: Option<Service>,
    emulator: Option<Bound>,
    state_file: Option<StateFile>,
}

/// Where an [`App`] listens. Its `Display` is the first line on stdout.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// gRPC.
    pub grpc: Option<SocketAddr>,
    /// Health over HTTP.
    pub admin: Option<SocketAddr>,
    /// The AWS API of the emulator.
    pub emulator: Option<SocketAddr>,
}

/// An address could not be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} (setting {setting}): {cause}")]
pub struct CannotListen {
    setting: &'static str,
    address: SocketAddr,
    cause: io::Error,
}

/// Why nothing runs.
#[derive(Debug, thiserror::Error)]
pub enum CannotStart {
    /// An address is taken, or is not this machine's.
    #[error(transparent)]
    Listen(#[from] CannotListen),
    /// A file that the configuration names has become wrong since that was checked.
    #[error("cannot start: {}", .0.join("; "))]
    Files(Vec<String>),
    /// The audit file cannot be written.
    #[error(transparent)]
    Audit(#[from] CannotRecord),
    /// Metrics cannot be sent.
    #[error(transparent)]
    Telemetry(#[from] CannotExport),
    /// The emulator's state can be neither read nor made.
    #[error("cannot keep the emulator's state in {path} (setting emulator.state): {cause}")]
    State {
        /// The file.
        path: PathBuf,
        /// Why, and what to do.
        cause: StateError,
    },
}

impl App {
    /// The service, before AWS or whatever its endpoint says. It signs with `credentials`,
    /// or with those of the SDK's standard chain.
    ///
    /// # Errors
    ///
    /// When an address cannot be listened on, or a file cannot be used.
    pub async fn serve(mut checked: Checked, credentials: Option<Credentials>) -> Result<Self, CannotStart> {
        checked.config.sdk.credentials = credentials;
        Ok(Self {
            service: Some(Service::bind(checked).await?),
            emulator: None,
            state_file: None,
        })
    }

    /// The service and the emulator, the one before the other.
    ///
    /// # Errors
    ///
    /// When an address cannot be listened on, or the emulator's state file cannot be used.
    pub async fn dev(dev: Dev) -> Result<Self, CannotStart> {
        let Dev {
            mut service,
            emulator,
            credentials,
        } = dev;
        let (emulator, state_file) = bind_emulator(&emulator).await?;
        service.config.sdk.endpoint = Some(format!("http://{}", emulator.address));
        service.config.sdk.credentials = Some(Credentials::new(
            &credentials.access_key_id,
            credentials.secret_access_key.expose_secret(),
            None,
            None,
            "tapegate dev",
        ));
        Ok(Self {
            service: Some(Service::bind(service).await?),
            emulator: Some(emulator),
            state_file,
        })
    }

    /// The emulator alone.
    ///
    /// # Errors
    ///
    /// When its address cannot be listened on, or its state file cannot be used.
    pub async fn emulator(settings: &Standalone) -> Result<Self, CannotStart> {
        let (emulator, state_file) = bind_emulator(&settings.emulator).await?;
        Ok(Self {
            service: None,
            emulator: Some(emulator),
            state_file,
        })
    }

    /// Where it listens.
    pub fn addresses(&self) -> Addresses {
        Addresses {
            grpc: self.service.as_ref().map(|service| service.grpc_address),
            admin: self.service.as_ref().map(|service| service.admin.address),
            emulator: self.emulator.as_ref().map(|emulator| emulator.address),
        }
    }

    /// The file that keeps the emulator's state, if one does.
    pub fn state_file(&self) -> Option<&StateFile> {
        self.state_file.as_ref()
    }

    /// Runs until `shutdown` resolves and what was in progress then has ended.
    ///
    /// # Errors
    ///
    /// When calls had to be cut, or a server failed.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), Cut> {
        // The emulator outlives the service, whose last calls go to it.
        let emulator = self.emulator.map(Bound::start);
        let outcome = match self.service {
            Some(service) => service.run(shutdown).await,
            None => {
                shutdown.await;
                Ok(())
            }
        };
        let ended = match emulator {
            Some(emulator) => emulator.end().await.map_err(Cut::from),
            None => Ok(()),
        };
        outcome.and(ended)
    }
}

/// The emulator, bound and seeded, and the file of its state.
async fn bind_emulator(config: &settings::Emulator) -> Result<(Bound, Option<StateFile>), CannotStart> {
    let settings = config.settings.clone();
    let emulator = match &config.state {
        None => Emulator::new(settings),
        Some(path) => Emulator::with_state(settings, path).map_err(|cause| CannotStart::State {
            path: path.clone(),
            cause,
        })?,
    };
    let state_file = emulator.state_file().cloned();
    let bound = Bound::listen("emulator.listen", config.listen, Face::Emulator(emulator)).await?;
    Ok((bound, state_file))
}

async fn listen(
    setting: &'static str,
    address: SocketAddr,
) -> Result<(TcpListener, SocketAddr), CannotListen> {
    let bound = async {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    bound.await.map_err(|cause| CannotListen {
        setting,
        address,
        cause,
    })
}

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = [
            ("grpc", self.grpc),
            ("admin", self.admin),
            ("emulator", self.emulator),
        ];
        f.write_str("listening")?;
        named
            .iter()
            .filter_map(|(name, address)| Some((name, address.as_ref()?)))
            .try_for_each(|(name, address)| write!(f, " {name}={address}"))
    }
}
