//! The environment: whatever its variables are, the program works or says which one is wrong.

mod completeness;
mod profile;
mod proxies;
mod sweep;
