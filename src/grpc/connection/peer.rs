use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use tokio_util::sync::CancellationToken;

use super::call_costs::{CallCost, CallCosts};
use crate::grpc::tls::ClientCertificate;

/// The other end of a connection, in the extensions of its requests.
#[derive(Clone, Debug)]
pub struct Peer {
    address: SocketAddr,
    certificate: Option<Arc<ClientCertificate>>,
    close: CancellationToken,
    cut: CancellationToken,
    costs: CallCosts,
}

impl Peer {
    /// A peer with this address and this certificate. Its connection closes when `close` is cancelled.
    pub(super) fn new(
        address: SocketAddr,
        certificate: Option<ClientCertificate>,
        close: CancellationToken,
    ) -> Self {
        Self {
            address,
            certificate: certificate.map(Arc::new),
            close,
            cut: CancellationToken::new(),
            costs: CallCosts::default(),
        }
    }

    /// The address of the peer.
    pub(in crate::grpc) fn address(&self) -> IpAddr {
        self.address.ip().to_canonical()
    }

    /// The certificate of the peer, if it presented one.
    pub(in crate::grpc) fn certificate(&self) -> Option<&ClientCertificate> {
        self.certificate.as_deref()
    }

    /// Cancelled when the calls of the connection are to end with a status, because it is about to close.
    pub(in crate::grpc) fn cut(&self) -> CancellationToken {
        self.cut.clone()
    }

    /// What the calls of the connection cost.
    pub(in crate::grpc) fn costs(&self) -> &CallCosts {
        &self.costs
    }

    /// What a call costs that has begun.
    pub(in crate::grpc) fn call_cost(&self) -> CallCost {
        CallCost::new(self.costs.clone())
    }

    pub(super) fn closed(&self) -> CancellationToken {
        self.close.clone()
    }
}
