//! The network that a service is on.

use std::{io, net::SocketAddr};

use tokio::net::TcpListener;

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

    /// The HTTP client that sends requests to AWS.
    ///
    /// # Errors
    ///
    /// If the settings are invalid.
    fn http_client(&self, settings: &SdkSettings) -> Result<SharedHttpClient, String>;
}

/// The network of the machine.
#[derive(Clone, Copy, Debug)]
pub struct Tcp;

impl Network for Tcp {
    type Listener = TcpListener;

    async fn bind(&self, address: SocketAddr) -> io::Result<TcpListener> {
        TcpListener::bind(address).await
    }

    fn http_client(&self, settings: &SdkSettings) -> Result<SharedHttpClient, String> {
        sdk::http_client(settings)
    }
}
