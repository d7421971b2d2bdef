//! How calls are repeated: the decision by itself, in every situation, and the laws of
//! repeating, with a fake below the layers and tokio's clock stopped.

mod budget;
mod decision;
mod properties;
