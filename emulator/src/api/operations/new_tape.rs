//! The members that describe a tape in the two operations that create tapes.

use std::sync::Arc;

use super::tags;
use crate::{
    account::{
        creation::{NewTape, Tag},
        store::Region,
        tape::{Status, Tape},
        timestamp::Timestamp,
    },
    api::{call::Call, shapes, validation::Members},
    protocol::Error,
};

impl NewTape {
    pub(super) fn read(members: &mut Members<'_>) -> Self {
        Self {
            gateway_arn: members.required("GatewayARN", &shapes::GATEWAY_ARN),
            size: members.required("TapeSizeInBytes", &shapes::TAPE_SIZE),
            kms_encrypted: members.optional("KMSEncrypted", &shapes::BOOLEAN),
            kms_key: members.optional("KMSKey", &shapes::KMS_KEY),
            pool_id: members.optional("PoolId", &shapes::POOL_ID),
            worm: members.optional("Worm", &shapes::BOOLEAN),
            tags: members.optional("Tags", &shapes::TAGS).unwrap_or_default(),
        }
    }

    pub(super) fn tags(&self) -> &[Tag] {
        &self.tags
    }

    pub(super) fn gateway_arn(&self) -> &str {
        &self.gateway_arn
    }

    /// The requested tape, created now, after the checks that the model has no form for.
    pub(super) fn tape(
        &self,
        region: &Region,
        gateway: Arc<str>,
        now: Timestamp,
        call: &Call<'_>,
    ) -> Result<Tape, Error> {
        let mut causes = Vec::new();
        if !call.settings.allows_size(self.size) {
            let (min, max) = (call.settings.min_tape_size_gib, call.settings.max_tape_size_gib);
            causes.push(format!(
                "TapeSizeInBytes must be a multiple of 1 GiB, from {min} to {max} GiB."
            ));
        }
        if self.kms_key.is_some() && self.kms_encrypted != Some(true) {
            causes.push("KMSKey needs KMSEncrypted to be true.".to_owned());
        }
        let keyless = self.kms_encrypted == Some(true) && self.kms_key.is_none();
        if keyless && call.settings.undocumented.kms_key_required {
            causes.push("KMSEncrypted needs a KMSKey.".to_owned());
        }
        let pool = match self.pool_id.as_deref() {
            None => Some(call.settings.undocumented.default_pool.pool()),
            Some(id) => region.pool(id),
        };
        if pool.is_none() {
            causes.push("PoolId must be GLACIER, DEEP_ARCHIVE or the id of a custom pool.".to_owned());
        }
        causes.extend(tags::faults(&self.tags));
        match pool {
            Some(pool) if causes.is_empty() => Ok(Tape {
                size: self.size,
                used: Some(0),
                created: now,
                status: Status::Creating,
                until: Some(now.after(call.settings.life.creating_time)),
                gateway: Some(gateway),
                device: None,
                progress: None,
                completed: None,
                retrieved_to: None,
                kms_key: self.kms_key.as_deref().map(Arc::from),
                pool,
                worm: self.worm == Some(true),
                retention_start: None,
                pool_entry: None,
                forgotten: false,
            }),
            _ => Err(Error::invalid(causes.join(" "))),
        }
    }
}
