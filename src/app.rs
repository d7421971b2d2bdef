//! The composition root: from a configuration to something that runs.
//!
//! Only `main` and the tests call it. [`App`] is bound first, so that its addresses are
//! known, and then run until it is told to stop.

mod http_server;
mod service;

use std::{fmt, io, net::SocketAddr};

use aws_credential_types::Credentials;
use secrecy::ExposeSecret;
use tokio::net::TcpListener;

pub use self::service::Cut;
use self::{
    http_server::{Bound, Face},
    service::Service,
};
use crate::{
    config::{self, Config, Dev, Standalone},
    emulator::Emulator,
};

/// What runs in this process: the service, the emulator, or both.
pub struct App {
    service: Option<Service>,
    emulator: Option<Bound>,
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

impl App {
    /// The service, before AWS or whatever its endpoint says. It signs with `credentials`,
    /// or with those of the SDK's standard chain.
    ///
    /// # Errors
    ///
    /// When an address cannot be listened on.
    pub async fn serve(config: Config, credentials: Option<Credentials>) -> Result<Self, CannotListen> {
        Ok(Self {
            service: Some(Service::bind(config, credentials).await?),
            emulator: None,
        })
    }

    /// The service and the emulator, the one before the other.
    ///
    /// # Errors
    ///
    /// When an address cannot be listened on.
    pub async fn dev(dev: Dev) -> Result<Self, CannotListen> {
        let Dev {
            mut config,
            emulator,
            credentials,
        } = dev;
        let emulator = bind_emulator(&emulator).await?;
        config.upstream.endpoint = Some(endpoint(emulator.address));
        let signed_by = Credentials::new(
            &credentials.access_key_id,
            credentials.secret_access_key.expose_secret(),
            None,
            None,
            "tapegate dev",
        );
        Ok(Self {
            service: Some(Service::bind(config, Some(signed_by)).await?),
            emulator: Some(emulator),
        })
    }

    /// The emulator alone.
    ///
    /// # Errors
    ///
    /// When its address cannot be listened on.
    pub async fn emulator(settings: &Standalone) -> Result<Self, CannotListen> {
        let emulator = bind_emulator(&settings.emulator).await?;
        Ok(Self {
            service: None,
            emulator: Some(emulator),
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

/// The emulator, bound and seeded.
async fn bind_emulator(config: &config::Emulator) -> Result<Bound, CannotListen> {
    let emulator = Emulator::new(config.settings.clone());
    Bound::listen("emulator.listen", config.listen, Face::Emulator(emulator)).await
}

/// The URL of a server at this address.
fn endpoint(address: SocketAddr) -> http::Uri {
    format!("http://{address}")
        .parse()
        .expect("a socket's address is a URI's authority")
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
