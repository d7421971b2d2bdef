use std::{io, net::SocketAddr, time::Duration};

use axum::Router;
use tokio::{net::TcpListener, time::timeout};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::observability::admin::{self, AdminSettings};

/// How long connections may take to close once they are told to. One that never spoke would
/// hold the door open for ever (hyperium/hyper#4170).
const LINGER: Duration = Duration::from_secs(1);

/// The admin pages with the socket that they will be served on.
pub(super) struct Bound {
    pub(super) address: SocketAddr,
    listener: TcpListener,
    pages: Router,
    settings: AdminSettings,
}

/// The admin pages that are being served.
pub(super) struct Running {
    stop: CancellationToken,
    serving: AbortOnDropHandle<()>,
}

impl Bound {
    /// The pages for a listener at this address.
    pub(super) fn new(
        (listener, address): (TcpListener, SocketAddr),
        (pages, settings): (Router, AdminSettings),
    ) -> Self {
        Self {
            address,
            listener,
            pages,
            settings,
        }
    }

    /// Serves in a task of its own.
    pub(super) fn start(self) -> Running {
        let stop = CancellationToken::new();
        let serving = admin::serve(self.listener, self.pages, self.settings, stop.clone());
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
            Ok(ended) => ended.map_err(io::Error::other),
            Err(_) => Ok(()),
        }
    }
}
