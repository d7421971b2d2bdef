//! Composition: from settings to a running service.
//!
//! - In: arguments, environment variables and files.
//! - Out: an [`App`], which is bound first, so that its addresses are known, and then runs until it
//!   is told to stop.
//! - May use: all rooms but the emulator.

mod access;
mod check;
pub mod cli;
pub mod commands;
mod credentials;
mod drain;
mod expiry;
mod http_server;
mod inherited;
mod machine;
mod metrics;
pub mod network;
mod service;
mod service_manager;
pub mod settings;
pub mod shutdown;
mod startup;

use std::{fmt, net::SocketAddr};

use tokio::net::TcpListener;

use self::{
    commands::Checked,
    network::{Network, Tcp},
    service::Service,
    shutdown::Shutdown,
};
pub use self::{
    drain::Cut,
    expiry::Expiring,
    inherited::{Inherited, InvalidSockets},
    machine::Held,
    startup::{CannotListen, CannotStart},
};
use crate::grpc::connection::listener::Listener;
pub use crate::upstream::sdk::Credentials;

/// The service, bound to its addresses.
pub struct App<L = TcpListener> {
    service: Service<L>,
}

/// Where an [`App`] listens. Its `Display` is the first line on stdout.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// gRPC.
    pub grpc: SocketAddr,
    /// The admin pages.
    pub admin: SocketAddr,
}

impl App {
    /// Binds the service, or takes the listeners that it has inherited. It signs with `credentials`, or
    /// with those of the SDK's standard chain.
    ///
    /// # Errors
    ///
    /// If an address cannot be listened on, or a file is invalid.
    pub async fn serve(checked: Checked, credentials: Option<Credentials>) -> Result<Self, CannotStart> {
        Self::serve_on(&Tcp::default(), checked, credentials).await
    }
}

impl<L: Listener> App<L> {
    /// The same on another network. Its admin pages are on TCP.
    ///
    /// # Errors
    ///
    /// As for [`serve`](App::serve).
    pub async fn serve_on(
        network: &impl Network<Listener = L>,
        mut checked: Checked,
        credentials: Option<Credentials>,
    ) -> Result<Self, CannotStart> {
        checked.config.sdk.credentials = credentials;
        let service = Service::bind(network, checked).await?;
        Ok(Self { service })
    }

    /// The addresses that it listens on.
    pub fn addresses(&self) -> Addresses {
        Addresses {
            grpc: self.service.grpc_address,
            admin: self.service.admin.address,
        }
    }

    /// Runs until it is asked to stop and the calls in progress have ended.
    ///
    /// # Errors
    ///
    /// If calls were cut off, or a server failed.
    pub async fn run(self, shutdown: Shutdown) -> Result<(), Cut> {
        self.service.run(shutdown).await
    }
}

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { grpc, admin } = self;
        write!(f, "listening grpc={grpc} admin={admin}")
    }
}
