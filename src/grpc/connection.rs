//! The connections of callers: accepting, serving and closing them.
//!
//! - In: a listener, and the service that handles the requests.
//! - Out: an end for every connection at which no answer is lost.
//!
//! `listener` is where they come from, `accept` accepts them if `places` has room, `socket` is the
//! bytes of one, `serve` its life, `linger` its end, and `peer` what the layers of the inbound stack
//! know of it.

pub mod accept;
mod linger;
pub mod listener;
mod peer;
pub mod places;
mod read_away;
pub mod serve;
mod socket;
mod streams;

pub use self::{linger::LINGER, peer::Peer, streams::Sending};
