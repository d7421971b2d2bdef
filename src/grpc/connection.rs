//! The connections of callers: accepting, serving and closing them.
//!
//! - In: a listener, and the service that handles the requests.
//! - Out: an end for every connection at which no answer is lost.
//!
//! `listener` is where they come from, and `accept` accepts them if `places` has room. `socket` is the bytes of
//! one, which `metered` reads in turns, and slows down by its control frames and by what `call_costs` adds to
//! them if there are more than `allowance` allows. `serve` is its life, `streams` has its calls, of whose responses `backlog` bounds what is not read,
//! `linger` is its end, and `peer` what the layers of the inbound stack know of it.

pub mod accept;
mod allowance;
mod backlog;
mod call_costs;
mod frame_heads;
mod linger;
pub mod listener;
mod metered;
mod peer;
pub mod places;
mod protocol_errors;
mod read_away;
mod sending;
pub mod serve;
mod socket;
mod streams;
mod warnings;

pub(in crate::grpc) use self::sending::{Sending, Unread};
pub use self::{
    call_costs::{CallCost, CallCosts},
    peer::Peer,
    serve::CUT_GRACE,
};
