//! Who is let in, and what each may do: over the wire, with real certificates and tokens.

mod attacks;
mod audit;
mod certificates;
mod doors;
mod filtered;
mod limits;
mod policy;
mod remote_keys;
mod rotation;
mod secrets;
mod transport;
mod trial;
mod undecided;
mod wycheproof;
