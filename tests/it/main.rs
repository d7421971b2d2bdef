//! Tests that run the whole service over the wire.
mod config;
