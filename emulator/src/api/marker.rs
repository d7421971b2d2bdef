//! Markers: where the next page begins, opaque to clients.
//!
//! A marker is a version byte, 16 bytes of an HMAC, the time it was made (8 bytes, only if markers
//! expire) and the last name on the page (a barcode, a pool's id), in base64url. The HMAC covers the
//! request (operation, region, gateway, filter), so that a marker of another call is rejected. Its
//! key is derived from the account: markers stay valid across restarts and, if they do not expire,
//! are the same in every run, so that documentation can show them. They protect against mistakes,
//! not against attackers.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::call::Call;
use crate::{account::timestamp::Timestamp, protocol::Error};

const TIMELESS: u8 = 1;
const DATED: u8 = 2;
const MAC_LENGTH: usize = 16;
const DATE_LENGTH: usize = 8;

/// Makes and reads the markers of equal requests.
pub(super) struct Markers {
    mac: Hmac<Sha256>,
    now: Timestamp,
    lifetime: Option<Duration>,
}

impl Markers {
    /// The markers of a request: `asked` has every part of it that the request for the next page
    /// must repeat.
    pub(super) fn new(
        asked: impl IntoIterator<Item = impl AsRef<[u8]>>,
        call: &Call<'_>,
        now: Timestamp,
    ) -> Self {
        let key = format!("tapegate emulator marker {}", call.at.account);
        let mut mac = Hmac::new_from_slice(key.as_bytes()).expect("HMAC takes a key of any length");
        for part in asked {
            let part = part.as_ref();
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        Self {
            mac,
            now,
            lifetime: call.settings.undocumented.marker_lifetime,
        }
    }

    /// The marker of the page after `last`.
    pub(super) fn after(&self, last: &str) -> String {
        let (version, date) = match self.lifetime {
            None => (TIMELESS, Vec::new()),
            Some(_) => (DATED, self.now.to_be_bytes().to_vec()),
        };
        let body = [&date, last.as_bytes()].concat();
        let mac = self.sealed(version, &body).finalize().into_bytes();
        BASE64_URL_SAFE_NO_PAD.encode([&[version], &mac[..MAC_LENGTH], &body].concat())
    }

    /// The name after which the page begins.
    ///
    /// # Errors
    /// `InvalidParameters` for a marker of another request, and for an expired one.
    pub(super) fn read(&self, marker: &str) -> Result<String, Error> {
        let (made, last) = self.opened(marker).ok_or_else(|| {
            Error::invalid(
                "Marker is not valid for this call: send the Marker of the previous page, \
                 with the other members unchanged.",
            )
        })?;
        let good = |lifetime| made.is_some_and(|made| self.now <= made.after(lifetime));
        if self.lifetime.is_none_or(good) {
            Ok(last)
        } else {
            let cause = "Marker has expired: start again from the first page.";
            Err(Error::invalid(cause))
        }
    }

    /// The time of a valid marker, if it has one, and the name in it.
    fn opened(&self, marker: &str) -> Option<(Option<Timestamp>, String)> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(marker).ok()?;
        let (version, rest) = bytes.split_first()?;
        let (mac, body) = rest.split_at_checked(MAC_LENGTH)?;
        self.sealed(*version, body).verify_truncated_left(mac).ok()?;
        let (made, last) = match *version {
            TIMELESS => (None, body),
            DATED => {
                let (date, last) = body.split_first_chunk::<DATE_LENGTH>()?;
                (Some(Timestamp::from_be_bytes(*date)), last)
            }
            _ => return None,
        };
        Some((made, std::str::from_utf8(last).ok()?.to_owned()))
    }

    fn sealed(&self, version: u8, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.mac.clone();
        mac.update(&[version]);
        mac.update(body);
        mac
    }
}
