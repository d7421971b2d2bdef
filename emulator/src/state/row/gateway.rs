use std::{borrow::Cow, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::gateway::{Gateway, GatewayKind};

/// A gateway, by its ARN.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::state) struct GatewayRow<'a> {
    name: Cow<'a, str>,
    #[serde(with = "Kind")]
    kind: GatewayKind,
    cache: bool,
    connected: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "GatewayKind", rename_all = "SCREAMING_SNAKE_CASE")]
enum Kind {
    Vtl,
    Cached,
    Stored,
    FileS3,
    FileFsxSmb,
}

impl Default for GatewayRow<'_> {
    fn default() -> Self {
        Self {
            name: "".into(),
            kind: GatewayKind::Vtl,
            cache: true,
            connected: true,
        }
    }
}

impl<'a> From<&'a Gateway> for GatewayRow<'a> {
    fn from(gateway: &'a Gateway) -> Self {
        let Gateway {
            arn: _,
            name,
            kind,
            cache,
            connected,
        } = gateway;
        Self {
            name: name.into(),
            kind: *kind,
            cache: *cache,
            connected: *connected,
        }
    }
}

impl GatewayRow<'_> {
    pub(in crate::state) fn into_gateway(self, arn: Arc<str>) -> Gateway {
        Gateway {
            arn,
            name: self.name.into_owned(),
            kind: self.kind,
            cache: self.cache,
            connected: self.connected,
        }
    }
}
