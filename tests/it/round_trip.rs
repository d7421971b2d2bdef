//! Every member of the five operations passes both ways, as it is. Which members there
//! are is taken from the service model, so one that nobody thought of fails these tests.

mod answers;
mod conversion;
mod requests;
