//! Retries: the decision in every situation, the budget, and properties of the whole layer, with
//! a scripted transport below the layers and tokio's paused clock.

mod budget;
mod decision;
mod properties;
