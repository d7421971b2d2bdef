//! Every field of the five operations passes both ways unchanged. The fields are taken from the service
//! model, so a new one fails these tests.

mod conversion;
mod requests;
mod responses;
