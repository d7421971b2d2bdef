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

use std::{fmt, io, net::SocketAddr};

use aws_credential_types::Credentials;
use tokio::net::TcpListener;

pub use self::service::Cut;
use self::{commands::Checked, service::Service};
use crate::{access::audit::AuditFileError, observability::telemetry::CannotExport};

/// The service, bound to its addresses.
pub struct App {
    service: Service,
}

/// Where an [`App`] listens. Its `Display` is the first line on stdout.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// gRPC.
    pub grpc: SocketAddr,
    /// The admin pages.
    pub admin: SocketAddr,
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
    Audit(#[from] AuditFileError),
    /// Metrics cannot be sent.
    #[error(transparent)]
    Telemetry(#[from] CannotExport),
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
        let service = Service::bind(checked).await?;
        Ok(Self { service })
    }

    /// Where it listens.
    pub fn addresses(&self) -> Addresses {
        Addresses {
            grpc: self.service.grpc_address,
            admin: self.service.admin.address,
        }
    }

    /// Runs until `shutdown` resolves and what was in progress then has ended.
    ///
    /// # Errors
    ///
    /// When calls had to be cut, or a server failed.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), Cut> {
        self.service.run(shutdown).await
    }
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
        let Self { grpc, admin } = self;
        write!(f, "listening grpc={grpc} admin={admin}")
    }
}
