//! How attempts are paced. Below the layers stands a fake, and the clock is tokio's, stopped,
//! so that a minute passes in no time; what needs the wire has the whole service.

mod creates;
mod flood;
mod outage;
mod queue;
mod throttled;
