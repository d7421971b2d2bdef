use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{
    barcode::Barcode,
    ops::{CreateTapes, NewTape},
    shapes::Tag,
    store::Creation,
    timestamp::Timestamp,
};

/// What a client token stands for: the request as it was sent, and what it made.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::state) struct CreationRow<'a> {
    pub(in crate::state) barcodes: Vec<String>,
    /// When it was made, in milliseconds since 1970.
    pub(in crate::state) at: i64,
    gateway: Cow<'a, str>,
    size: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    kms_encrypted: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kms_key: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pool: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    worm: Option<bool>,
    /// In the order in which they were sent.
    tags: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    count: i32,
    prefix: Cow<'a, str>,
}

impl<'a> From<&'a Creation> for CreationRow<'a> {
    fn from(
        Creation {
            request,
            barcodes,
            at,
        }: &'a Creation,
    ) -> Self {
        let CreateTapes { new, count, prefix } = request;
        let NewTape {
            gateway_arn,
            size,
            kms_encrypted,
            kms_key,
            pool_id,
            worm,
            tags,
        } = new;
        let tags = tags.iter().map(|Tag { key, value }| (key.into(), value.into()));
        Self {
            barcodes: barcodes.iter().map(Barcode::to_string).collect(),
            at: at.millis(),
            gateway: gateway_arn.into(),
            size: *size,
            kms_encrypted: *kms_encrypted,
            kms_key: kms_key.as_deref().map(Cow::from),
            pool: pool_id.as_deref().map(Cow::from),
            worm: *worm,
            tags: tags.collect(),
            count: *count,
            prefix: prefix.into(),
        }
    }
}

impl CreationRow<'_> {
    pub(in crate::state) fn into_creation(self, barcodes: Vec<Barcode>) -> Creation {
        let tags = self.tags.into_iter().map(|(key, value)| Tag {
            key: key.into_owned(),
            value: value.into_owned(),
        });
        let new = NewTape {
            gateway_arn: self.gateway.into_owned(),
            size: self.size,
            kms_encrypted: self.kms_encrypted,
            kms_key: self.kms_key.map(Cow::into_owned),
            pool_id: self.pool.map(Cow::into_owned),
            worm: self.worm,
            tags: tags.collect(),
        };
        let request = CreateTapes {
            new,
            count: self.count,
            prefix: self.prefix.into_owned(),
        };
        Creation {
            request,
            barcodes,
            at: Timestamp::from_millis(self.at),
        }
    }
}
