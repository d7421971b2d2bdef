//! The state of the AWS account in memory: its gateways, pools and tapes, and how time changes them.
//!
//! `store` has the regions with all that is in them, `seed` makes its contents at the start, `life`
//! moves a tape from status to status, `creation` is what a client token stands for.

pub(crate) mod arn;
pub(crate) mod barcode;
pub(crate) mod clock;
pub(crate) mod creation;
pub(crate) mod gateway;
mod life;
pub(crate) mod pool;
pub(crate) mod seed;
pub(crate) mod store;
pub(crate) mod tape;
pub(crate) mod timestamp;
