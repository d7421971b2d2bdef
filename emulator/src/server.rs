use std::{fmt, io, net::SocketAddr, path::PathBuf, time::Duration};

use axum::Router;
use tokio::{net::TcpListener, time::timeout};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{
    api,
    config::Config,
    connection::{Connections, Peer},
    control,
    emulator::Emulator,
    state::{StateError, StateFile},
};

/// How long connections may take to close at the end. A connection on which no request has begun
/// would otherwise hold up the end for ever (hyperium/hyper#4170).
const LINGER: Duration = Duration::from_secs(1);

/// An emulator with the socket that it is served on.
pub struct Server {
    emulator: Emulator,
    listener: TcpListener,
    address: SocketAddr,
}

/// Why an emulator does not start.
#[derive(Debug, thiserror::Error)]
pub enum CannotStart {
    /// The address is in use, or is not an address of this machine.
    #[error("the emulator cannot listen on {address} (setting listen): {cause}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The error of the system.
        cause: io::Error,
    },
    /// The state file cannot be read or made.
    #[error("cannot use the emulator's state file {path} (setting state): {cause}")]
    State {
        /// The file.
        path: PathBuf,
        /// Why, and what to do.
        cause: StateError,
    },
}

impl Server {
    /// Makes the emulator, or opens its state file, and binds its address.
    ///
    /// # Errors
    /// When the address cannot be listened on, or the state file cannot be used.
    pub async fn bind(config: Config) -> Result<Self, CannotStart> {
        let Config {
            listen,
            state,
            settings,
            pair: _,
        } = config;
        let emulator = match state {
            None => Emulator::new(settings),
            Some(path) => {
                Emulator::with_state(settings, &path).map_err(|cause| CannotStart::State { path, cause })?
            }
        };
        let bound = async {
            let listener = TcpListener::bind(listen).await?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        let (listener, address) = bound.await.map_err(|cause| CannotStart::Listen {
            address: listen,
            cause,
        })?;
        Ok(Self {
            emulator,
            listener,
            address,
        })
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The file that keeps its state, if there is one.
    pub fn state_file(&self) -> Option<&StateFile> {
        self.emulator.state_file()
    }

    /// Serves until `stop` resolves and the calls then in progress have ended. Connections that do
    /// not close within a second are dropped.
    ///
    /// # Errors
    /// When the state file cannot be written at the end.
    pub async fn run(self, stop: impl Future<Output = ()>) -> io::Result<()> {
        let stopping = CancellationToken::new();
        let stopped = stopping.clone().cancelled_owned();
        let Self {
            emulator, listener, ..
        } = self;
        let serve = async move { emulator.serve(listener, stopped).await };
        let mut serving = AbortOnDropHandle::new(tokio::spawn(serve));
        tokio::select! {
            ended = &mut serving => return ended.map_err(io::Error::other)?,
            () = stop => stopping.cancel(),
        }
        match timeout(LINGER, serving).await {
            Ok(ended) => ended.map_err(io::Error::other)?,
            Err(_) => Ok(()),
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Emulator {
    /// The HTTP service of this account, for another server or for tower layers around it. The
    /// control API needs the peer's address: it rejects every request unless the server is
    /// [`serve`](Self::serve) or provides axum's `ConnectInfo<SocketAddr>`.
    pub fn router(&self) -> Router {
        api::router()
            .merge(control::router(self))
            .with_state(self.clone())
    }

    /// Serves until `stop` resolves, the calls in progress have ended, and every change is in the
    /// state file, if there is one.
    ///
    /// # Errors
    /// If the state file cannot be written at the end. An earlier failure affects one connection or
    /// call, and is logged or answered.
    pub async fn serve(
        &self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let router = self.router().into_make_service_with_connect_info::<Peer>();
        axum::serve(Connections(listener), router)
            .with_graceful_shutdown(stop)
            .await?;
        self.flush().await.map_err(io::Error::other)
    }
}
