//! The network that a service is on.

use std::{io, net::SocketAddr};

use tokio::net::TcpListener;

use super::Inherited;
use crate::{
    grpc::connection::listener::Listener,
    upstream::sdk::{self, SdkSettings, SharedHttpClient},
};

/// How callers reach a service, and how it reaches AWS: by TCP, or by a network that a test simulates.
pub trait Network {
    /// What accepts callers.
    type Listener: Listener;

    /// Listens on an address.
    ///
    /// # Errors
    ///
    /// If the address is in use, or is not one of this machine.
    fn bind(&self, address: SocketAddr) -> impl Future<Output = io::Result<Self::Listener>> + Send;

    /// Listens on the address of the admin pages, which is always on TCP.
    ///
    /// # Errors
    ///
    /// As for [`bind`](Network::bind).
    fn bind_admin(&self, address: SocketAddr) -> impl Future<Output = io::Result<TcpListener>> + Send {
        TcpListener::bind(address)
    }

    /// The HTTP client that sends requests to AWS.
    ///
    /// # Errors
    ///
    /// If the settings are invalid.
    fn http_client(&self, settings: &SdkSettings) -> Result<SharedHttpClient, String>;
}

/// The network of the machine.
#[derive(Debug, Default)]
pub struct Tcp {
    /// The listeners that take the place of new ones.
    pub inherited: Inherited,
}

impl Network for Tcp {
    type Listener = TcpListener;

    async fn bind(&self, address: SocketAddr) -> io::Result<TcpListener> {
        match &self.inherited.grpc {
            Some(listener) => taken(listener),
            None => TcpListener::bind(address).await,
        }
    }

    async fn bind_admin(&self, address: SocketAddr) -> io::Result<TcpListener> {
        match &self.inherited.admin {
            Some(listener) => taken(listener),
            None => TcpListener::bind(address).await,
        }
    }

    fn http_client(&self, settings: &SdkSettings) -> Result<SharedHttpClient, String> {
        sdk::http_client(settings)
    }
}

fn taken(listener: &std::net::TcpListener) -> io::Result<TcpListener> {
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener.try_clone()?)
}
