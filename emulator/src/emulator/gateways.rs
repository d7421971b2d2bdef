//! What the operator of a gateway does: makes it, connects it, gives it a cache.

use super::Emulator;
use crate::account::{
    arn::gateway_arn,
    gateway::{Gateway, GatewayKind},
    store::{AccountRegion, Region},
    timestamp::Timestamp,
};

/// The gateways that an account has at most.
const MAX_GATEWAYS: usize = 1_000;

/// The new values of a gateway; `None` leaves a value unchanged.
#[derive(Clone, Debug, Default)]
pub(crate) struct GatewayChange {
    pub(crate) kind: Option<GatewayKind>,
    pub(crate) name: Option<String>,
    pub(crate) cache: Option<bool>,
    pub(crate) connected: Option<bool>,
}

/// Why a gateway was not created or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PutError {
    #[error("the gateway's library holds {0} tapes; a gateway with tapes must keep the type VTL")]
    HoldsTapes(usize),
    #[error("the account has {MAX_GATEWAYS} gateways, which is the maximum")]
    TooMany,
}

impl Emulator {
    /// Creates a tape gateway with these values, or changes the gateway with this id.
    pub(crate) fn put_gateway(
        &self,
        at: &AccountRegion,
        id: &str,
        change: GatewayChange,
    ) -> Result<Gateway, PutError> {
        let settings = &self.inner.settings;
        let arn = gateway_arn(at, id);
        let (mut store, now) = self.inner.write();
        let old = store.region(at).and_then(|region| region.gateway(&arn));
        let Some(old) = old.cloned() else {
            let all = store.regions_of(&at.account).flat_map(Region::gateways).count();
            if all >= MAX_GATEWAYS {
                return Err(PutError::TooMany);
            }
            let new = changed(Gateway::tape(arn), change);
            let region = store.region_or_new(at, &settings.life);
            region.put_gateway(new.clone());
            return Ok(new);
        };
        let new = changed(old.clone(), change);
        let region = store.region_or_new(at, &settings.life);
        let held = region.tape_count(&arn);
        if new.kind != old.kind && held > 0 {
            return Err(PutError::HoldsTapes(held));
        }
        if new.connected != old.connected {
            self.set_uploads(region, &new, now);
        }
        region.put_gateway(new.clone());
        Ok(new)
    }

    /// Pauses the uploads of a gateway, or resumes them.
    fn set_uploads(&self, region: &mut Region, gateway: &Gateway, now: Timestamp) {
        let life = &self.inner.settings.life;
        for barcode in region.uploading(&gateway.arn) {
            region.change(barcode, |tape| {
                if gateway.connected {
                    tape.resume_upload(now, life);
                } else {
                    tape.pause_upload(now);
                }
            });
        }
    }
}

fn changed(mut gateway: Gateway, change: GatewayChange) -> Gateway {
    gateway.kind = change.kind.unwrap_or(gateway.kind);
    gateway.name = change.name.unwrap_or(gateway.name);
    gateway.cache = change.cache.unwrap_or(gateway.cache);
    gateway.connected = change.connected.unwrap_or(gateway.connected);
    gateway
}
