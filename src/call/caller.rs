use std::{net::IpAddr, sync::Arc};

use crate::domain::Principal;

/// The principal that makes a call, and its network address.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The authenticated principal.
    pub principal: Arc<Principal>,
    /// The client's address; behind trusted proxies, the one that they forward.
    pub address: IpAddr,
}

impl Caller {
    /// This principal, at this address.
    pub fn new(principal: impl Into<Arc<Principal>>, address: IpAddr) -> Self {
        Self {
            principal: principal.into(),
            address,
        }
    }
}
