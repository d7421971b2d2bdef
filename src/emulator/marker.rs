//! Markers: where the next page begins, opaque to clients.
//!
//! A marker is a version byte, 16 bytes of an HMAC and the last barcode shown, in
//! base64url. The HMAC covers what was asked (operation, region, gateway, filter), so a
//! marker of another call is refused, and nobody can make one. Its key follows from the
//! account alone: markers outlive the process and are the same in every run, so that
//! documentation can show them. They guard against mistakes, not against attackers.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::barcode::Barcode;

const VERSION: u8 = 1;
const MAC_LENGTH: usize = 16;

/// Makes and reads the markers of one call and its like.
pub(super) struct Markers {
    mac: Hmac<Sha256>,
}

impl Markers {
    /// For the calls of an account that ask the same: `asked` is every part of it that a
    /// next page must repeat.
    pub(super) fn new<'a>(account: &str, asked: impl IntoIterator<Item = &'a str>) -> Self {
        let key = format!("tapegate emulator marker {account}");
        let mut mac = Hmac::new_from_slice(key.as_bytes()).expect("HMAC takes a key of any length");
        for part in asked {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        Self { mac }
    }

    /// The marker of the page after `last`.
    pub(super) fn after(&self, last: Barcode) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.seal(last)[..MAC_LENGTH]);
        bytes.extend_from_slice(last.as_str().as_bytes());
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The barcode after which the page begins; `None` for what is no marker of this call.
    pub(super) fn read(&self, marker: &str) -> Option<Barcode> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(marker).ok()?;
        let (version, rest) = bytes.split_first()?;
        let (mac, barcode) = rest.split_at_checked(MAC_LENGTH)?;
        let last = Barcode::new(std::str::from_utf8(barcode).ok()?)?;
        let mut sealed = self.mac.clone();
        sealed.update(last.as_str().as_bytes());
        (*version == VERSION && sealed.verify_truncated_left(mac).is_ok()).then_some(last)
    }

    fn seal(
        &self,
        last: Barcode,
    ) -> impl AsRef<[u8]> + std::ops::Index<std::ops::RangeTo<usize>, Output = [u8]> {
        let mut sealed = self.mac.clone();
        sealed.update(last.as_str().as_bytes());
        sealed.finalize().into_bytes()
    }
}
