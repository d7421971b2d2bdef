//! Who is let in, and what each may do: over the wire, with real certificates and tokens.

mod attacks;
mod certificates;
mod filtered;
mod policy;
mod rotation;
mod transport;
mod wycheproof;
