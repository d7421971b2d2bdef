//! How attempts are paced: below the layers stands a fake, and the clock is tokio's, stopped,
//! so that a minute passes in no time; and the whole service over the wire, in real time.

mod throttled;
