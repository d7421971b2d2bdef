//! Markers: where the next page begins, opaque to clients.
//!
//! A marker is a version byte, 16 bytes of an HMAC and the last name shown (a
//! barcode, a pool's id), in
//! base64url. The HMAC covers what was asked (operation, region, gateway, filter), so a
//! marker of another call is refused, and nobody can make one. Its key follows from the
//! account alone: markers outlive the process and are the same in every run, so that
//! documentation can show them. They guard against mistakes, not against attackers.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::error::Error;

const VERSION: u8 = 1;
const MAC_LENGTH: usize = 16;

/// Makes and reads the markers of one call and its like.
pub(super) struct Markers {
    mac: Hmac<Sha256>,
}

impl Markers {
    /// For the calls of an account that ask the same: `asked` is every part of it that a
    /// next page must repeat.
    pub(super) fn new(account: &str, asked: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Self {
        let key = format!("tapegate emulator marker {account}");
        let mut mac = Hmac::new_from_slice(key.as_bytes()).expect("HMAC takes a key of any length");
        for part in asked {
            let part = part.as_ref();
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        Self { mac }
    }

    /// The marker of the page after `last`.
    pub(super) fn after(&self, last: &str) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.sealed(last).finalize().into_bytes()[..MAC_LENGTH]);
        bytes.extend_from_slice(last.as_bytes());
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The name after which the page begins.
    ///
    /// # Errors
    /// `InvalidParameters` for what is no marker of this call.
    pub(super) fn read(&self, marker: &str) -> Result<String, Error> {
        self.opened(marker).ok_or_else(|| {
            Error::invalid(
                "Marker was not given out for this call: send the Marker of the page before, \
                 with the same other members.",
            )
        })
    }

    fn opened(&self, marker: &str) -> Option<String> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(marker).ok()?;
        let (version, rest) = bytes.split_first()?;
        let (mac, last) = rest.split_at_checked(MAC_LENGTH)?;
        let last = std::str::from_utf8(last).ok()?;
        let genuine = self.sealed(last).verify_truncated_left(mac).is_ok();
        (*version == VERSION && genuine).then(|| last.to_owned())
    }

    fn sealed(&self, last: &str) -> Hmac<Sha256> {
        let mut mac = self.mac.clone();
        mac.update(last.as_bytes());
        mac
    }
}
