use std::{io, net::SocketAddr, time::Duration};

use axum::Router;
use tokio::{net::TcpListener, time::timeout};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{CannotListen, listen};
use crate::{
    emulator::Emulator,
    observability::admin::{self, AdminSettings},
};

/// How long connections may take to close once they are told to. One that never spoke would
/// hold the door open for ever (hyperium/hyper#4170).
pub(super) const LINGER: Duration = Duration::from_secs(1);

/// What is served over HTTP.
pub(super) enum Face {
    Admin(Router, AdminSettings),
    Emulator(Emulator),
}

/// A face with the socket that it will be served on.
pub(super) struct Bound {
    pub(super) address: SocketAddr,
    listener: TcpListener,
    face: Face,
}

/// A face that is being served.
pub(super) struct Running {
    stop: CancellationToken,
    serving: AbortOnDropHandle<io::Result<()>>,
}

impl Bound {
    /// Binds the address that a setting gives.
    pub(super) async fn listen(
        setting: &'static str,
        address: SocketAddr,
        face: Face,
    ) -> Result<Self, CannotListen> {
        let (listener, address) = listen(setting, address).await?;
        Ok(Self {
            address,
            listener,
            face,
        })
    }

    /// Serves in a task of its own.
    pub(super) fn start(self) -> Running {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let Self { listener, face, .. } = self;
        let serving = async move {
            match face {
                Face::Admin(pages, settings) => {
                    admin::serve(listener, pages, settings, stopped).await;
                    Ok(())
                }
                Face::Emulator(emulator) => emulator.serve(listener, stopped.cancelled_owned()).await,
            }
        };
        Running {
            stop,
            serving: AbortOnDropHandle::new(tokio::spawn(serving)),
        }
    }
}

impl Running {
    /// Stops it; connections that will not close are dropped.
    pub(super) async fn end(self) -> io::Result<()> {
        self.stop.cancel();
        match timeout(LINGER, self.serving).await {
            Ok(ended) => ended.map_err(io::Error::other)?,
            Err(_) => Ok(()),
        }
    }
}
